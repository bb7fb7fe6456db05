/* Just enough of the Arduino core for the example sketches to compile on a host. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x0
#define OUTPUT 0x1
#define FALLING 2
#define MSBFIRST 1
#define IRAM_ATTR

static const uint8_t A0 = 14;

unsigned long micros();
void delay(unsigned long ms);
void delayMicroseconds(unsigned int us);
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t level);
int digitalRead(uint8_t pin);
int analogRead(uint8_t pin);
void analogReadResolution(int bits);
void attachInterrupt(uint8_t interrupt, void (*handler)(), int mode);
void noInterrupts();
void interrupts();
uint32_t esp_random();
void setup();
void loop();

#define digitalPinToInterrupt(pin) (pin)

class HardwareSerial {
  public:
    void begin(unsigned long baud);
    size_t write(uint8_t byte);
};
extern HardwareSerial Serial;

#endif
