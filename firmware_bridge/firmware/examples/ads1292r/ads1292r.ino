/* Two leads from an ADS1292R at 250 Hz and 24 bits, in native frames over the serial port.
 *
 * Registers and timing: Texas Instruments SBAS502. Channel 1 is IN1P - IN1N, channel 2
 * IN2P - IN2N; the respiration circuit stays off, so that both carry ECG. Wiring: DRDY - 2 (a
 * pin with an interrupt), START - 5, PWDN/RESET - 4, CS - 7, and the board's SPI pins; an AVR of
 * 5 V needs level shifters. On an ESP32 choose other pins. Copy edge_frame.h into this folder.
 * Read it with: edge probe 'serial:///dev/ttyUSB0?device=native&baud=115200'
 *
 * Not isolated: run the computer from its battery while electrodes touch a person.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <SPI.h>

#include "edge_frame.h"

#if defined(ARDUINO_ARCH_AVR)
#include <EEPROM.h>
#endif

static const uint8_t DRDY_PIN = 2, RESET_PIN = 4, START_PIN = 5, CS_PIN = 7;

enum { CMD_RDATAC = 0x10, CMD_SDATAC = 0x11, CMD_WREG = 0x40 };

/* Registers 0x01 to 0x0A in order. */
static const uint8_t SETUP[] = {
    0x01, /* CONFIG1: continuous conversion, 250 samples a second */
    0xE0, /* CONFIG2: lead-off comparators on, reference buffer on, 2.42 V */
    0x10, /* LOFF: thresholds 95 % and 5 %, 6 nA, direct current */
    0x00, /* CH1SET: on, gain 6, electrode input */
    0x00, /* CH2SET: on, gain 6, electrode input */
    0x2F, /* RLD_SENS: right-leg drive on, from all four inputs */
    0x0F, /* LOFF_SENS: lead-off detection at all four inputs */
    0x00, /* LOFF_STAT: clock divider for the internal 512 kHz */
    0x02, /* RESP1: respiration off */
    0x03, /* RESP2: calibration off, right-leg reference from inside */
};

/* One step is 2.42 V / 6 / (2^23 - 1) = 48.081 nV. */
static const uint32_t SCALE_PV = 48081;
static const uint32_t RATE_MHZ = 250000;

/* Reads at 1 MHz leave each byte the 4 clock periods (8 us) that the chip needs to decode it. */
static const SPISettings BUS(1000000, MSBFIRST, SPI_MODE1);

/* 10 samples make a frame of at most 95 bytes. What does not fit the 64-byte buffer of an AVR's
 * serial port holds the loop up for 3 ms at 115200 baud, within the 4 ms to the next sample. */
static const uint8_t LEADS = 2, SAMPLES = 10;

static struct edge_encoder encoder;
static struct edge_header header;
static int32_t samples[SAMPLES * LEADS];
static uint8_t filled = 0;

static volatile uint32_t ready_count = 0, ready_us = 0;

#if defined(ARDUINO_ARCH_ESP32)
static void IRAM_ATTR on_ready()
#else
static void on_ready()
#endif
{
    ready_us = micros();
    ready_count = ready_count + 1;
}

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
    return (uint8_t)analogRead(A0); /* noise of the last bits of an open pin */
#endif
}

static void command(uint8_t code)
{
    SPI.beginTransaction(BUS);
    digitalWrite(CS_PIN, LOW);
    SPI.transfer(code);
    delayMicroseconds(10); /* CS stays low for 4 clock periods after the last bit */
    digitalWrite(CS_PIN, HIGH);
    SPI.endTransaction();
    delayMicroseconds(10);
}

static void write_setup()
{
    SPI.beginTransaction(BUS);
    digitalWrite(CS_PIN, LOW);
    SPI.transfer(CMD_WREG | 0x01);
    SPI.transfer(sizeof SETUP - 1);
    for (uint8_t i = 0; i < sizeof SETUP; i++) {
        SPI.transfer(SETUP[i]);
    }
    delayMicroseconds(10);
    digitalWrite(CS_PIN, HIGH);
    SPI.endTransaction();
    delayMicroseconds(10);
}

static void start_chip()
{
    digitalWrite(RESET_PIN, HIGH);
    delay(1000); /* power-on reset and reference */
    digitalWrite(RESET_PIN, LOW);
    delay(1);
    digitalWrite(RESET_PIN, HIGH);
    delay(100);
    command(CMD_SDATAC); /* the chip wakes in continuous mode, deaf to register writes */
    write_setup();
    delay(200); /* the reference buffer settles */
    command(CMD_RDATAC);
    attachInterrupt(digitalPinToInterrupt(DRDY_PIN), on_ready, FALLING);
    digitalWrite(START_PIN, HIGH);
}

static int32_t from_int24(const uint8_t *big_endian)
{
    uint32_t bits = (uint32_t)big_endian[0] << 16 | (uint32_t)big_endian[1] << 8 | big_endian[2];
    return (int32_t)(bits ^ 0x800000ul) - 0x800000l;
}

/* The status word begins 1100, then RLD, IN2N, IN2P, IN1N, IN1P: 1 where an electrode is off. */
static uint16_t lead_off_of(const uint8_t *status)
{
    const uint8_t off = (uint8_t)((status[0] & 0x0F) << 1 | status[1] >> 7);
    const uint16_t lead1 = (off & 0x03) ? 1 : 0, lead2 = (off & 0x0C) ? 2 : 0;
    return lead1 | lead2;
}

static void send_frame()
{
    if (filled == 0) {
        return;
    }
    header.samples = filled;
    edge_send_int24(&encoder, &header, samples);
    filled = 0;
}

static void take_sample(uint32_t index, uint32_t at_us)
{
    uint8_t data[9]; /* status, channel 1, channel 2 */
    SPI.beginTransaction(BUS);
    digitalWrite(CS_PIN, LOW);
    for (uint8_t i = 0; i < sizeof data; i++) {
        data[i] = SPI.transfer(0x00);
    }
    digitalWrite(CS_PIN, HIGH);
    SPI.endTransaction();
    const uint64_t time_us = clock_us(at_us);
    if (filled == 0) {
        header.sequence = index;
        header.device_time_us = time_us;
        header.lead_off = 0;
    }
    header.lead_off |= lead_off_of(data); /* off at any sample of the frame */
    samples[filled * LEADS] = from_int24(data + 3);
    samples[filled * LEADS + 1] = from_int24(data + 6);
    if (++filled == SAMPLES) {
        send_frame();
    }
}

void setup()
{
    Serial.begin(115200);
    pinMode(DRDY_PIN, INPUT);
    pinMode(RESET_PIN, OUTPUT);
    pinMode(START_PIN, OUTPUT);
    pinMode(CS_PIN, OUTPUT);
    digitalWrite(START_PIN, LOW);
    digitalWrite(CS_PIN, HIGH);
    SPI.begin();
    edge_init(&encoder, put_byte, NULL);
    header.leads = LEADS;
    header.is_int24 = 1;
    header.battery_percent = EDGE_BATTERY_UNKNOWN;
    header.boot_id = new_boot_id();
    header.rate_mhz = RATE_MHZ;
    header.scale_pv = SCALE_PV;
    start_chip();
}

void loop()
{
    static uint32_t taken = 0;
    noInterrupts();
    const uint32_t count = ready_count, at_us = ready_us;
    interrupts();
    if (count == taken) {
        return;
    }
    if (count != taken + 1) {
        send_frame(); /* conversions were missed: the counter shows the gap where it is */
    }
    taken = count;
    take_sample(count - 1, at_us);
}
