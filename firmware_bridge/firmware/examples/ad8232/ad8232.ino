/* One lead from an AD8232 at 250 Hz, in native frames over the serial port.
 *
 * Wiring (SparkFun SEN-12650): OUTPUT - A0, LO+ - 10, LO- - 11, 3.3V, GND; never power the
 * board from more than 3.6 V. On an ESP32 use pins of ADC1 (see below). Copy edge_frame.h into
 * this folder. Read it with: edge probe 'serial:///dev/ttyUSB0?device=native&baud=115200'
 *
 * Not isolated: run the computer from its battery while electrodes touch a person.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "edge_frame.h"

#if defined(ARDUINO_ARCH_AVR)
#include <EEPROM.h>
static const uint8_t ECG_PIN = A0, LO_PLUS_PIN = 10, LO_MINUS_PIN = 11;
static const uint32_t ADC_REFERENCE_MV = 5000; /* an Uno measures against its 5 V supply */
static const uint8_t ADC_BITS = 10;
#elif defined(ARDUINO_ARCH_ESP32)
static const uint8_t ECG_PIN = 34, LO_PLUS_PIN = 32, LO_MINUS_PIN = 33;
static const uint32_t ADC_REFERENCE_MV = 3300; /* nominal; an ESP32 may be off by some percent */
static const uint8_t ADC_BITS = 12;
#else
static const uint8_t ECG_PIN = A0, LO_PLUS_PIN = 10, LO_MINUS_PIN = 11;
static const uint32_t ADC_REFERENCE_MV = 3300;
static const uint8_t ADC_BITS = 12;
#endif

/* Instrumentation amplifier 100, output amplifier 11: the board's 0.5 to 40 Hz circuit. */
static const uint32_t GAIN = 1100;
static const uint32_t BASELINE_MV = 1650; /* half of the board's 3.3 V */
static const uint32_t PERIOD_US = 4000;

/* 12 samples make a frame of at most 59 bytes: it fits the 64-byte buffer of an AVR's serial
 * port, so that sending never delays the next sample. */
static const uint8_t SAMPLES = 12;

static struct edge_encoder encoder;
static struct edge_header header;
static int16_t samples[SAMPLES];
static uint8_t filled = 0;
static uint32_t next_index = 0;
static uint32_t due_us;

static void put_byte(void *context, uint8_t byte)
{
    (void)context;
    Serial.write(byte);
}

/* micros() wraps after 71 minutes; called at every sample, this never does. */
static uint64_t clock_us(uint32_t now_us)
{
    static uint32_t last_us = 0, turns = 0;
    if (now_us < last_us) {
        turns++;
    }
    last_us = now_us;
    return ((uint64_t)turns << 32) | now_us;
}

/* Another number at every start tells the receiver that the counter began anew. */
static uint8_t new_boot_id()
{
#if defined(ARDUINO_ARCH_AVR)
    uint8_t boot_id = (uint8_t)(EEPROM.read(0) + 1);
    EEPROM.write(0, boot_id);
    return boot_id;
#elif defined(ARDUINO_ARCH_ESP32)
    return (uint8_t)esp_random();
#else
    return (uint8_t)analogRead(ECG_PIN); /* noise of the last bits */
#endif
}

static void send_frame()
{
    if (filled == 0) {
        return;
    }
    header.samples = filled;
    edge_send_int16(&encoder, &header, samples);
    filled = 0;
}

static void take_sample(uint32_t now_us)
{
    static const int16_t baseline =
        (int16_t)(((BASELINE_MV << ADC_BITS) + ADC_REFERENCE_MV / 2) / ADC_REFERENCE_MV);
    const bool is_off = digitalRead(LO_PLUS_PIN) == HIGH || digitalRead(LO_MINUS_PIN) == HIGH;
    const uint64_t time_us = clock_us(now_us);
    if (filled == 0) {
        header.sequence = next_index;
        header.device_time_us = time_us;
        header.lead_off = 0;
    }
    if (is_off) {
        header.lead_off = 1; /* off at any sample of the frame */
    }
    samples[filled++] = (int16_t)(analogRead(ECG_PIN) - baseline);
    next_index++;
    if (filled == SAMPLES) {
        send_frame();
    }
}

void setup()
{
    Serial.begin(115200);
    pinMode(LO_PLUS_PIN, INPUT);
    pinMode(LO_MINUS_PIN, INPUT);
#if !defined(ARDUINO_ARCH_AVR)
    analogReadResolution(ADC_BITS);
#endif
    edge_init(&encoder, put_byte, NULL);
    header.leads = 1;
    header.is_int24 = 0;
    header.battery_percent = EDGE_BATTERY_UNKNOWN;
    header.boot_id = new_boot_id();
    header.rate_mhz = 1000000000ul / PERIOD_US;
    header.scale_pv = (uint32_t)(ADC_REFERENCE_MV * 1e9 / (1ul << ADC_BITS) / GAIN);
    due_us = micros() + PERIOD_US;
}

void loop()
{
    const uint32_t now_us = micros();
    const int32_t late_us = (int32_t)(now_us - due_us);
    if (late_us < 0) {
        return;
    }
    const uint32_t missed = (uint32_t)late_us / PERIOD_US;
    if (missed > 0) {
        send_frame(); /* so that the counter shows the gap where it is */
        next_index += missed;
    }
    due_us += (missed + 1) * PERIOD_US;
    take_sample(now_us);
}
