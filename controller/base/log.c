#include "base/log.h"

#include "base/strbuf.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level log_threshold = LOG_LEVEL_INFO;
static bool log_json;
static uint64_t log_lost; /* lines, since the last one that was written */

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(enum log_level level, bool json)
{
        log_threshold = level;
        log_json = json;
}

int log_level_parse(const char *text, enum log_level *out)
{
        for (size_t i = 0; i < sizeof(level_names) / sizeof(*level_names); i++) {
                if (strcmp(text, level_names[i]) == 0) {
                        *out = (enum log_level)i;
                        return 0;
                }
        }
        return -EINVAL;
}

/* Quoted as JSON does it; bytes beyond ASCII pass, they are UTF-8 or came as such. */
static void append_quoted(struct strbuf *line, const char *text)
{
        (void)strbuf_puts(line, "\"");
        for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
                if (*c == '"' || *c == '\\')
                        (void)strbuf_printf(line, "\\%c", *c);
                else if (*c == '\n')
                        (void)strbuf_puts(line, "\\n");
                else if (*c < 0x20 || *c == 0x7f)
                        (void)strbuf_printf(line, "\\u%04x", *c);
                else
                        (void)strbuf_append(line, (const char *)c, 1);
        }
        (void)strbuf_puts(line, "\"");
}

static bool is_bare(const char *text)
{
        if (!*text)
                return false;
        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                if (*c <= 0x20 || *c >= 0x7f || *c == '"' || *c == '=' || *c == '\\')
                        return false;
        return true;
}

static void append_text(struct strbuf *line, const char *key, const char *text)
{
        if (log_json) {
                (void)strbuf_puts(line, line->length > 1 ? "," : "");
                append_quoted(line, key);
                (void)strbuf_puts(line, ":");
                append_quoted(line, text);
        } else {
                (void)strbuf_printf(line, "%s%s=", line->length ? " " : "", key);
                if (is_bare(text))
                        (void)strbuf_puts(line, text);
                else
                        append_quoted(line, text);
        }
}

static void append_number(struct strbuf *line, const char *key, int64_t number)
{
        if (log_json) {
                (void)strbuf_puts(line, ",");
                append_quoted(line, key);
                (void)strbuf_printf(line, ":%" PRId64, number);
        } else {
                (void)strbuf_printf(line, " %s=%" PRId64, key, number);
        }
}

static void format_now(char text[static 40])
{
        struct timespec now;
        struct tm tm;
        size_t length;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)gmtime_r(&now.tv_sec, &tm);
        length = strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(text + length, 40 - length, ".%03ldZ", now.tv_nsec / 1000000);
}

static bool is_writable(void)
{
        struct pollfd poller = {.fd = STDERR_FILENO, .events = POLLOUT};

        return poll(&poller, 1, 0) == 1 && poller.revents & POLLOUT;
}

/* One write, so that lines of several processes on one pipe do not mix. */
static void put(const struct strbuf *line)
{
        if (!line->text || !is_writable() || write(STDERR_FILENO, line->text, line->length) < 0)
                log_lost++;
}

void log_write(enum log_level level, const char *module, const char *message, const struct log_field *fields)
{
        _cleanup_strbuf_ struct strbuf line = {0};
        char ts[40];

        if (level > log_threshold)
                return;
        if (log_lost && is_writable()) {
                const uint64_t lines = log_lost;

                log_lost = 0;
                log_warning("log", "nobody read stderr: lines are lost", LOG_INT("lines", lines));
        }
        format_now(ts);
        (void)strbuf_puts(&line, log_json ? "{" : "");
        append_text(&line, "ts", ts);
        append_text(&line, "level", level_names[level]);
        append_text(&line, "module", module);
        append_text(&line, "msg", message);
        for (const struct log_field *field = fields; field->key; field++) {
                if (field->text)
                        append_text(&line, field->key, field->text);
                else
                        append_number(&line, field->key, field->number);
        }
        (void)strbuf_puts(&line, log_json ? "}\n" : "\n");
        put(&line);
}

bool log_rate_allow(struct log_rate *rate, int64_t now_ms, int64_t period_ms)
{
        if (now_ms < rate->next_ms)
                return false;
        rate->next_ms = now_ms + period_ms;
        return true;
}
