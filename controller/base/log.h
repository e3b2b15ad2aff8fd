/* One line per event on stderr, logfmt or JSON. Only the adapters (io, app, announcer) log; the core does
 * not.
 *
 *   ts=2026-11-23T00:15:24.123Z level=info module=keepalived msg="reloaded" virtual_servers=12
 *
 * `msg` is constant text, what varies are the fields. Never pass a token or a password.
 *
 * Never waits for whoever reads stderr: a container runtime that is stuck must not stop the heartbeat, or the
 * routes go. A line that finds the pipe full is lost; how many were, the next one is preceded by. (Lines are
 * shorter than PIPE_BUF, what a pipe that takes anything takes.)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct error;

enum log_level {
        LOG_LEVEL_ERROR,
        LOG_LEVEL_WARNING,
        LOG_LEVEL_INFO,
        LOG_LEVEL_DEBUG,
};

/* For the whole process; set once by main before the first line. */
void log_setup(enum log_level level, bool json);

/* "error", "warning", "info" or "debug". Returns 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *out);

/* A field's value. Build with the LOG_* macros below; `text` is only read during the call. */
struct log_field {
        const char *key; /* NULL ends the list */
        const char *text;
        int64_t number; /* used when text is NULL */
};

/* A function, because compilers warn of arrays that are compared with NULL. */
static inline const char *log_text(const char *text)
{
        return text ? text : "";
}

#define LOG_TEXT(key_, text_)                          \
        {                                              \
                .key = (key_), .text = log_text(text_) \
        }
#define LOG_INT(key_, number_)                              \
        {                                                   \
                .key = (key_), .number = (int64_t)(number_) \
        }

void log_write(enum log_level level, const char *module, const char *message, const struct log_field *fields);

/* log_info("keepalived", "reloaded", LOG_INT("virtual_servers", n)); */
#define log_at_(level, module, message, ...) \
        log_write(level, module, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
#define log_error(module, message, ...) log_at_(LOG_LEVEL_ERROR, module, message __VA_OPT__(, ) __VA_ARGS__)
#define log_warning(module, message, ...) \
        log_at_(LOG_LEVEL_WARNING, module, message __VA_OPT__(, ) __VA_ARGS__)
#define log_info(module, message, ...) log_at_(LOG_LEVEL_INFO, module, message __VA_OPT__(, ) __VA_ARGS__)
#define log_debug(module, message, ...) log_at_(LOG_LEVEL_DEBUG, module, message __VA_OPT__(, ) __VA_ARGS__)

/* Fields for an error: where= and error=. */
#define LOG_ERROR_FIELDS(error_) LOG_TEXT("where", (error_)->where), LOG_TEXT("error", (error_)->what)

/* Lets the first line through, then one per period_ms and key site. Zero-initialise one per call site. */
struct log_rate {
        int64_t next_ms;
};

/* Returns true if a line may be written at now_ms (any monotonic clock). */
bool log_rate_allow(struct log_rate *rate, int64_t now_ms, int64_t period_ms);
