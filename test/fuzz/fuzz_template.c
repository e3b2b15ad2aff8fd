/* A template, rendered over a fixed view: what fails leaves the output alone, what succeeds holds tokens
 * only. */
#include "core/template.h"

#include "fuzz.h"

#include <string.h>

static const char view_text[] =
    "{\"a\": \"x\", \"n\": 7, \"no\": false, \"yes\": true, \"null\": null, \"bad\": \"a b\\n\","
    " \"o\": {\"a\": \"y\", \"o\": {\"a\": \"z\"}}, \"l\": [{\"a\": \"1\"}, {\"a\": \"2\"}], \"e\": [], "
    "\"r\": 1.5}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_template_ struct template *template = NULL;
        _cleanup_json_ json_t *view = json_loads(view_text, 0, NULL);
        _cleanup_strbuf_ struct strbuf out = {0};
        struct error error;

        FUZZ_ASSERT(view && strbuf_puts(&out, "before") == 0);
        if (template_parse("fuzz", (const char *)data, size, &template, &error) < 0) {
                FUZZ_ASSERT(!template && error.what[0]);
                return 0;
        }
        if (template_render(template, view, TEMPLATE_VALUES_TOKEN, &out, &error) < 0)
                FUZZ_ASSERT(strcmp(out.text, "before") == 0 && strncmp(error.where, "fuzz:", 5) == 0);
        else
                FUZZ_ASSERT(strncmp(out.text, "before", 6) == 0 && out.text[out.length] == '\0');
        return 0;
}
