#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *text)
{
        for (unsigned char *c = (unsigned char *)text; *c; c++)
                if (*c < 0x20 || *c == 0x7f)
                        *c = '?';
}

static void set_texts(struct error *error, const char *where, const char *format, va_list args)
{
        (void)snprintf(error->where, sizeof(error->where), "%s", where ? where : "");
        (void)vsnprintf(error->what, sizeof(error->what), format, args);
        make_printable(error->where);
        make_printable(error->what);
}

int error_set(struct error *error, const char *where, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        set_texts(error, where, format, args);
        va_end(args);
        return -EINVAL;
}

int error_set_line(struct error *error, const char *file, size_t line, const char *format, ...)
{
        char where[sizeof(error->where)];
        va_list args;

        if (line)
                (void)snprintf(where, sizeof(where), "%s:%zu", file, line);
        else
                (void)snprintf(where, sizeof(where), "%s", file);
        va_start(args, format);
        set_texts(error, where, format, args);
        va_end(args);
        return -EINVAL;
}

int error_oom(struct error *error)
{
        (void)error_set(error, NULL, "out of memory");
        return -ENOMEM;
}

void error_at(struct error *error, const char *where)
{
        if (error->where[0])
                return;
        (void)snprintf(error->where, sizeof(error->where), "%s", where);
        make_printable(error->where);
}
