/* exabgp's lines, one by one and as a conversation with the speaker: whatever exabgp says, the announcer asks
 * it only for what coracle wants. */
#include "core/exabgp_reply.h"
#include "core/speaker.h"

#include "fuzz.h"

#include <string.h>

static const char set_text[] = "{\"routes\":[\"10.1.1.1/32\"],\"pools\":[],\"graceful_shutdown\":false}";

static struct speaker *speaker_of_one_route(void)
{
        struct speaker_config config = {.n_neighbors = 1};
        struct announce_set set = {0};
        struct addr neighbor;
        struct speaker *speaker = NULL;
        struct error error;

        FUZZ_ASSERT(addr_parse("10.0.0.109", &neighbor) == 0);
        FUZZ_ASSERT(addr_parse("10.0.0.106", &config.next_hop4) == 0);
        config.neighbors = &neighbor;
        FUZZ_ASSERT(speaker_new(&config, 0, &speaker) == 0);
        FUZZ_ASSERT(announce_set_decode(set_text, strlen(set_text), &set, &error) == 0);
        FUZZ_ASSERT(speaker_hear(speaker, &set, 0) == 0);
        return speaker;
}

/* Only the one wanted route is announced; anything may be withdrawn. */
static void check_output(struct strbuf *output)
{
        for (const char *line = output->length ? strstr(output->text, "announce route ") : NULL; line;
             line = strstr(line + 1, "announce route "))
                FUZZ_ASSERT(strncmp(line, "announce route 10.1.1.1/32 ", 27) == 0);
        FUZZ_ASSERT(output->length < 1u << 20);
        strbuf_reset(output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(speaker_free_p) struct speaker *speaker = speaker_of_one_route();
        const char *text = (const char *)data, *end = text + size;
        int64_t now_ms = 1;

        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));
                size_t length = newline ? (size_t)(newline - text) : (size_t)(end - text);
                struct exabgp_reply reply;

                exabgp_reply_parse(text, length, &reply);
                FUZZ_ASSERT(speaker_answer(speaker, &reply, now_ms) == 0);
                check_output(speaker_output(speaker));
                FUZZ_ASSERT(speaker_tick(speaker, now_ms) == 0);
                check_output(speaker_output(speaker));
                text += length + 1;
                now_ms += 7;
        }
        return 0;
}
