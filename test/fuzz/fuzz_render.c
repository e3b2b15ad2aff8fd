/* The whole pure path: objects in JSON or YAML, decoded, planned and rendered with the templates as
 * delivered. Nothing in the objects may add a directive to keepalived's configuration. */
#include "base/fileio.h"

#include "fuzz.h"
#include "site.h"

#include <string.h>

static size_t count_words(const char *text, const char *word)
{
        size_t count = 0;

        for (const char *c = strstr(text, word); c; c = strstr(c + 1, word))
                count++;
        return count;
}

static size_t first_word(const char *line, const char **word)
{
        *word = line + strspn(line, " ");
        return strcspn(*word, " \n");
}

/* Whether a line of the template begins with this word. */
static bool word_is_known(const char *template, const char *word, size_t length)
{
        for (const char *line = template; line; line = strchr(line, '\n')) {
                const char *known;

                line += *line == '\n';
                if (first_word(line, &known) == length && memcmp(known, word, length) == 0)
                        return true;
        }
        return false;
}

/* What begins a line is a directive; values, such as the path of a health check, may spell one. */
static void check_directives(const char *text, size_t length)
{
        static struct strbuf template;
        struct error error;

        if (!template.length)
                FUZZ_ASSERT(
                    file_read(CORACLE_TEMPLATES "/" IPVS_SERVICE_TEMPLATE, 1u << 20, &template, &error) == 0);
        for (const char *line = text; line < text + length; line = strchr(line, '\n') + 1) {
                const char *word;
                size_t word_length = first_word(line, &word);

                FUZZ_ASSERT(word_is_known(template.text, word, word_length));
        }
}

static void check_text(const struct ipvs_config *out, const struct plan *plan)
{
        const char *end = IPVS_CONFIG_END;
        size_t reals = 0;

        FUZZ_ASSERT(out->text.length > strlen(end));
        FUZZ_ASSERT(strcmp(out->text.text + out->text.length - strlen(end), end) == 0);
        FUZZ_ASSERT(count_words(out->text.text, "{") == count_words(out->text.text, "}"));
        FUZZ_ASSERT(count_words(out->text.text, "\nvirtual_server ") == out->n_pieces);
        for (size_t i = 0; i < plan->n_virtual_servers; i++)
                reals += plan->virtual_servers[i].n_real_servers;
        FUZZ_ASSERT(count_words(out->text.text, "\n    real_server ") <= reals);
        for (size_t i = 0; i < out->n_pieces; i++)
                check_directives(out->text.text + out->pieces[i].offset, out->pieces[i].length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_plan_ struct plan *plan = site_plan((const char *)data, size);
        const struct ipvs_config_request request = {.templates = site_templates()};
        _cleanup_ipvs_config_ struct ipvs_config out = {0};
        struct error error;

        FUZZ_ASSERT(ipvs_config_render(&request, plan, &out, &error) == 0);
        check_text(&out, plan);
        return 0;
}
