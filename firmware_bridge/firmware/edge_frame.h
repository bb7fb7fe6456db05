/* Native wire format, version 1, for devices: see docs/wire-protocol.md.
 *
 * C99, one header, no heap, no 64-bit division, one pass: each byte of a frame goes to the
 * caller's `put` as soon as COBS allows. A device without room for a whole frame of samples
 * may pass them one at a time. SPDX-License-Identifier: Apache-2.0
 *
 *   static struct edge_encoder encoder;
 *   edge_init(&encoder, put_byte, NULL);
 *   struct edge_header header = {.leads = 1, .samples = 25, .rate_mhz = 250000,
 *                                .scale_pv = 2929688, .battery_percent = EDGE_BATTERY_UNKNOWN};
 *   ...
 *   header.sequence = index; header.device_time_us = clock;
 *   edge_send_int16(&encoder, &header, samples);
 */
#ifndef EDGE_FRAME_H
#define EDGE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDGE_VERSION 1u
#define EDGE_FLAG_INT24 0x01u
#define EDGE_LEADS_MAX 12u
#define EDGE_BATTERY_UNKNOWN 255u
#define EDGE_COBS_BLOCK 254u

/* Takes one byte for the wire; `context` is what edge_init was given. */
typedef void (*edge_put)(void *context, uint8_t byte);

struct edge_header {
    uint8_t leads;            /* 1 to 12 */
    uint8_t samples;          /* samples a lead in this frame, 1 to 255 */
    uint8_t is_int24;         /* 0: samples of 16 bits; else of 24 bits */
    uint8_t battery_percent;  /* 0 to 100, or EDGE_BATTERY_UNKNOWN */
    uint8_t boot_id;          /* any value that differs from that of the boot before */
    uint16_t lead_off;        /* bit k set: lead k has no contact; 0 for bits beyond `leads` */
    uint32_t rate_mhz;        /* samples a second and lead, in millihertz: 250 Hz = 250000 */
    uint32_t scale_pv;        /* one step of a sample, in picovolts at the electrodes */
    uint32_t sequence;        /* index of the first sample since boot; may wrap */
    uint64_t device_time_us;  /* clock at the first sample */
};

/* 263 bytes on an AVR, 280 with 64-bit pointers. */
struct edge_encoder {
    edge_put put;
    void *context;
    uint32_t crc;
    uint8_t length;
    uint8_t block[EDGE_COBS_BLOCK];
};

/* Fails to compile where the state outgrows 300 bytes. */
typedef char edge_encoder_is_small[sizeof(struct edge_encoder) < 300u ? 1 : -1];

static inline void edge_init(struct edge_encoder *encoder, edge_put put, void *context)
{
    encoder->put = put;
    encoder->context = context;
    encoder->crc = 0;
    encoder->length = 0;
}

static inline void edge_flush_block(struct edge_encoder *encoder)
{
    uint8_t i;
    encoder->put(encoder->context, (uint8_t)(encoder->length + 1u));
    for (i = 0; i < encoder->length; i++) {
        encoder->put(encoder->context, encoder->block[i]);
    }
    encoder->length = 0;
}

/* A full block leaves only when another byte follows, so that none is closed twice. */
static inline void edge_put_cobs(struct edge_encoder *encoder, uint8_t byte)
{
    if (encoder->length == EDGE_COBS_BLOCK) {
        edge_flush_block(encoder);
    }
    if (byte == 0) {
        edge_flush_block(encoder);
    } else {
        encoder->block[encoder->length++] = byte;
    }
}

/* CRC-32 (reflected polynomial 0xEDB88320) by halves of a byte: 64 bytes of table. */
static inline uint32_t edge_crc32(uint32_t crc, uint8_t byte)
{
    static const uint32_t table[16] = {
        0x00000000ul, 0x1DB71064ul, 0x3B6E20C8ul, 0x26D930ACul,
        0x76DC4190ul, 0x6B6B51F4ul, 0x4DB26158ul, 0x5005713Cul,
        0xEDB88320ul, 0xF00F9344ul, 0xD6D6A3E8ul, 0xCB61B38Cul,
        0x9B64C2B0ul, 0x86D3D2D4ul, 0xA00AE278ul, 0xBDBDF21Cul,
    };
    crc ^= byte;
    crc = (crc >> 4) ^ table[crc & 0x0Fu];
    return (crc >> 4) ^ table[crc & 0x0Fu];
}

static inline void edge_put_byte(struct edge_encoder *encoder, uint8_t byte)
{
    encoder->crc = edge_crc32(encoder->crc, byte);
    edge_put_cobs(encoder, byte);
}

static inline void edge_put_u16(struct edge_encoder *encoder, uint16_t value)
{
    edge_put_byte(encoder, (uint8_t)(value & 0xFFu));
    edge_put_byte(encoder, (uint8_t)(value >> 8));
}

static inline void edge_put_u32(struct edge_encoder *encoder, uint32_t value)
{
    edge_put_u16(encoder, (uint16_t)(value & 0xFFFFu));
    edge_put_u16(encoder, (uint16_t)(value >> 16));
}

/* Begin a frame; exactly `leads * samples` samples and edge_end must follow. */
static inline void edge_begin(struct edge_encoder *encoder, const struct edge_header *header)
{
    encoder->crc = 0xFFFFFFFFul;
    encoder->length = 0;
    encoder->put(encoder->context, 0);
    edge_put_byte(encoder, EDGE_VERSION);
    edge_put_byte(encoder, header->is_int24 ? EDGE_FLAG_INT24 : 0u);
    edge_put_byte(encoder, header->leads);
    edge_put_byte(encoder, header->samples);
    edge_put_u32(encoder, header->rate_mhz);
    edge_put_u32(encoder, header->scale_pv);
    edge_put_u32(encoder, header->sequence);
    edge_put_u32(encoder, (uint32_t)(header->device_time_us & 0xFFFFFFFFul));
    edge_put_u32(encoder, (uint32_t)(header->device_time_us >> 32));
    edge_put_u16(encoder, header->lead_off);
    edge_put_byte(encoder, header->battery_percent);
    edge_put_byte(encoder, header->boot_id);
}

/* One sample of one lead: all leads of the first instant, then of the second, and so on. */
static inline void edge_put_int16(struct edge_encoder *encoder, int16_t sample)
{
    edge_put_u16(encoder, (uint16_t)sample);
}

/* -8388608 to 8388607. */
static inline void edge_put_int24(struct edge_encoder *encoder, int32_t sample)
{
    uint32_t bits = (uint32_t)sample;
    edge_put_u16(encoder, (uint16_t)(bits & 0xFFFFu));
    edge_put_byte(encoder, (uint8_t)((bits >> 16) & 0xFFu));
}

/* End a frame: checksum, what COBS still holds, delimiter. */
static inline void edge_end(struct edge_encoder *encoder)
{
    edge_put_u32(encoder, encoder->crc ^ 0xFFFFFFFFul);
    edge_flush_block(encoder);
    encoder->put(encoder->context, 0);
}

static inline uint16_t edge_sample_count(const struct edge_header *header)
{
    return (uint16_t)((uint16_t)header->leads * header->samples);
}

/* A whole frame of 16-bit samples, by time, then lead; header->is_int24 must be 0. */
static inline void edge_send_int16(struct edge_encoder *encoder,
                                   const struct edge_header *header, const int16_t *samples)
{
    uint16_t i, count = edge_sample_count(header);
    edge_begin(encoder, header);
    for (i = 0; i < count; i++) {
        edge_put_int16(encoder, samples[i]);
    }
    edge_end(encoder);
}

/* A whole frame of 24-bit samples, by time, then lead; header->is_int24 must not be 0. */
static inline void edge_send_int24(struct edge_encoder *encoder,
                                   const struct edge_header *header, const int32_t *samples)
{
    uint16_t i, count = edge_sample_count(header);
    edge_begin(encoder, header);
    for (i = 0; i < count; i++) {
        edge_put_int24(encoder, samples[i]);
    }
    edge_end(encoder);
}

#ifdef __cplusplus
}
#endif

#endif
