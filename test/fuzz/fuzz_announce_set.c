/* Both directions of the socket between coracle and its announcer: what is accepted survives a round trip. */
#include "core/announce_set.h"

#include "fuzz.h"

#include <string.h>

static void check_set(const char *line, size_t length)
{
        _cleanup_announce_set_ struct announce_set set = {0}, again = {0};
        _cleanup_strbuf_ struct strbuf text = {0}, lines = {0};
        struct addr next_hop4, next_hop6;
        struct error error;

        if (announce_set_decode(line, length, &set, &error) < 0) {
                FUZZ_ASSERT(error.what[0]);
                return;
        }
        FUZZ_ASSERT(announce_set_encode(&set, &text) == 0);
        FUZZ_ASSERT(text.length && memchr(text.text, '\n', text.length) == text.text + text.length - 1);
        FUZZ_ASSERT(announce_set_decode(text.text, text.length - 1, &again, &error) == 0);
        FUZZ_ASSERT(prefix_list_equal(&set.routes, &again.routes));
        FUZZ_ASSERT(prefix_list_equal(&set.pools, &again.pools));
        FUZZ_ASSERT(set.graceful_shutdown == again.graceful_shutdown);
        FUZZ_ASSERT(addr_parse("10.0.0.106", &next_hop4) == 0 && addr_parse("fd00::6", &next_hop6) == 0);
        FUZZ_ASSERT(announce_set_diff(&set, &again, &next_hop4, &next_hop6, &lines) == 0);
        FUZZ_ASSERT(lines.length == 0);
}

static void check_report(const char *line, size_t length)
{
        struct announce_report report = {0}, again = {0};
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        if (announce_report_decode(line, length, &report, &error) < 0) {
                FUZZ_ASSERT(error.what[0]);
                return;
        }
        FUZZ_ASSERT(announce_report_encode(&report, &text) == 0);
        FUZZ_ASSERT(announce_report_decode(text.text, text.length - 1, &again, &error) == 0);
        FUZZ_ASSERT(prefix_list_equal(&report.announced, &again.announced));
        FUZZ_ASSERT(report.neighbors_up == again.neighbors_up && report.neighbors == again.neighbors);
        announce_report_clear(&report);
        announce_report_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        check_set((const char *)data, size);
        check_report((const char *)data, size);
        return 0;
}
