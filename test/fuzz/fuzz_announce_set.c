/* A line of the announce socket, in either direction: what decodes must come out the same after encoding. */
#include "core/announce_set.h"

#include "fuzz.h"

static void try_set(const char *line, size_t length)
{
        _cleanup_announce_set_ struct announce_set set = {0}, again = {0};
        _cleanup_strbuf_ struct strbuf text = {0}, lines = {0};
        struct error error;

        if (announce_set_decode(line, length, &set, &error) < 0)
                return;
        FUZZ_ASSERT(announce_set_encode(&set, &text) == 0);
        FUZZ_ASSERT(announce_set_decode(text.text, text.length - 1, &again, &error) == 0);
        FUZZ_ASSERT(prefix_list_equal(&set.routes, &again.routes) &&
                    prefix_list_equal(&set.pools, &again.pools) &&
                    prefix_list_equal(&set.withheld, &again.withheld));
        FUZZ_ASSERT(set.graceful_shutdown == again.graceful_shutdown && set.starting == again.starting);
        FUZZ_ASSERT(announce_set_diff(&set, &again, NULL, NULL, &lines) == 0 && !lines.length);
}

static void try_report(const char *line, size_t length)
{
        _cleanup_announce_report_ struct announce_report report = {0}, again = {0};
        _cleanup_strbuf_ struct strbuf text = {0};
        struct error error;

        if (announce_report_decode(line, length, &report, &error) < 0)
                return;
        FUZZ_ASSERT(announce_report_encode(&report, &text) == 0);
        FUZZ_ASSERT(announce_report_decode(text.text, text.length - 1, &again, &error) == 0);
        FUZZ_ASSERT(prefix_list_equal(&report.announced, &again.announced));
        FUZZ_ASSERT(report.graceful_shutdown == again.graceful_shutdown);
        FUZZ_ASSERT(report.neighbors_up == again.neighbors_up && report.neighbors == again.neighbors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        try_set((const char *)data, size);
        try_report((const char *)data, size);
        return 0;
}
