/* Just enough of the EEPROM library for the example sketches to compile on a host. */
#ifndef EEPROM_H
#define EEPROM_H

#include <stdint.h>

class EEPROMClass {
  public:
    uint8_t read(int address);
    void write(int address, uint8_t value);
};
extern EEPROMClass EEPROM;

#endif
