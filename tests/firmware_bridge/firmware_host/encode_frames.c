/* Frames by the firmware's encoder: one request a line on standard input, bytes out.
 *
 * line: leads samples int24 rate_mhz scale_pv sequence device_time_us lead_off battery boot
 *       then leads * samples sample values.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "edge_frame.h"

static void put_stdout(void *context, uint8_t byte)
{
    fputc(byte, (FILE *)context);
}

static int read_header(struct edge_header *header)
{
    unsigned leads, samples, is_int24, lead_off, battery, boot;
    if (scanf("%u %u %u %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu64 " %u %u %u", &leads,
              &samples, &is_int24, &header->rate_mhz, &header->scale_pv, &header->sequence,
              &header->device_time_us, &lead_off, &battery, &boot) != 10) {
        return 0;
    }
    header->leads = (uint8_t)leads;
    header->samples = (uint8_t)samples;
    header->is_int24 = (uint8_t)is_int24;
    header->lead_off = (uint16_t)lead_off;
    header->battery_percent = (uint8_t)battery;
    header->boot_id = (uint8_t)boot;
    return 1;
}

static int read_samples(const struct edge_header *header, int16_t *narrow, int32_t *wide)
{
    uint16_t i, count = edge_sample_count(header);
    for (i = 0; i < count; i++) {
        if (scanf("%" SCNd32, &wide[i]) != 1) {
            return 0;
        }
        narrow[i] = (int16_t)wide[i];
    }
    return 1;
}

int main(int argc, char **argv)
{
    static int16_t narrow[255 * EDGE_LEADS_MAX];
    static int32_t wide[255 * EDGE_LEADS_MAX];
    struct edge_encoder encoder;
    struct edge_header header;
    if (argc > 1 && strcmp(argv[1], "sizeof") == 0) {
        printf("%lu\n", (unsigned long)sizeof encoder);
        return 0;
    }
    edge_init(&encoder, put_stdout, stdout);
    while (read_header(&header)) {
        if (!read_samples(&header, narrow, wide)) {
            return 1;
        }
        if (header.is_int24) {
            edge_send_int24(&encoder, &header, wide);
        } else {
            edge_send_int16(&encoder, &header, narrow);
        }
    }
    return 0;
}
