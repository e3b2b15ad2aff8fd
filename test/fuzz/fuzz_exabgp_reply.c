/* What exabgp says, in reads of any size, to a speaker that wants one route: whatever it hears, it says only
 * lines that exabgp understands, and asks again rather than grow. */
#include "core/speaker.h"

#include "base/lines.h"
#include "fuzz.h"

#include <string.h>

static bool starts_with(const char *text, const char *start)
{
        return strncmp(text, start, strlen(start)) == 0;
}

static void check_output(struct strbuf *output)
{
        for (char *line = output->text; line && *line; line = strchr(line, '\n') + 1) {
                FUZZ_ASSERT(starts_with(line, "show ") ||
                            starts_with(line, "announce route 10.1.1.1/32 next-hop ") ||
                            starts_with(line, "withdraw route "));
                FUZZ_ASSERT(strchr(line, '\n'));
        }
        strbuf_reset(output);
}

static struct speaker *new_speaker(void)
{
        static const char set_text[] =
            "{\"routes\":[\"10.1.1.1/32\"],\"pools\":[],\"graceful_shutdown\":false}";
        struct speaker_config config = {0};
        struct announce_set set = {0};
        struct speaker *speaker = NULL;
        struct error error;

        FUZZ_ASSERT(addr_parse("10.0.0.106", &config.next_hop4) == 0);
        FUZZ_ASSERT(addr_parse("fd00::106", &config.next_hop6) == 0);
        FUZZ_ASSERT(speaker_new(&config, 0, &speaker) == 0);
        FUZZ_ASSERT(announce_set_decode(set_text, sizeof(set_text) - 1, &set, &error) == 0);
        FUZZ_ASSERT(speaker_hear(speaker, &set, 0) == 0);
        return speaker;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = new_speaker();
        struct lines lines = {.max = 65536};
        const char *line;
        size_t length;

        for (size_t at = 0, chunk = 1; at < size; at += chunk, chunk = chunk * 3 % 101 + 1) {
                if (chunk > size - at)
                        chunk = size - at;
                FUZZ_ASSERT(lines_feed(&lines, (const char *)data + at, chunk) == 0);
                while (lines_next(&lines, &line, &length)) {
                        struct exabgp_reply reply;

                        exabgp_reply_parse(line, length, &reply);
                        FUZZ_ASSERT(speaker_answer(speaker, &reply, (int64_t)at * 10) == 0);
                        check_output(speaker_output(speaker));
                }
        }
        lines_clear(&lines);
        return 0;
}
