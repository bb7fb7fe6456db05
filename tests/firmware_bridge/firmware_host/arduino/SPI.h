/* Just enough of the SPI library for the example sketches to compile on a host. */
#ifndef SPI_H
#define SPI_H

#include <stdint.h>

#define SPI_MODE1 0x04

class SPISettings {
  public:
    SPISettings(uint32_t clock_hz, uint8_t order, uint8_t mode);
};

class SPIClass {
  public:
    void begin();
    void beginTransaction(SPISettings settings);
    uint8_t transfer(uint8_t data);
    void endTransaction();
};
extern SPIClass SPI;

#endif
