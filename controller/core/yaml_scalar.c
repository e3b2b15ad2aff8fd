#include "core/yaml_scalar.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words)
{
        for (; *words; words++)
                if (strcmp(text, *words) == 0)
                        return true;
        return false;
}

static const char *skip_digits(const char *text)
{
        while (*text >= '0' && *text <= '9')
                text++;
        return text;
}

/* The base of an integer; 0 if it is none. */
static int integer_base(const char *text)
{
        const char *digits;

        if (strncmp(text, "0o", 2) == 0)
                return text[2] && strspn(text + 2, "01234567") == strlen(text + 2) ? 8 : 0;
        if (strncmp(text, "0x", 2) == 0)
                return text[2] && strspn(text + 2, "0123456789abcdefABCDEF") == strlen(text + 2) ? 16 : 0;
        digits = text + (*text == '-' || *text == '+');
        return *digits && !*skip_digits(digits) ? 10 : 0;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_decimal(const char *text)
{
        const char *c = text + (*text == '-' || *text == '+'), *start = c;
        size_t digits;

        c = skip_digits(c);
        digits = (size_t)(c - start);
        if (*c == '.') {
                start = ++c;
                c = skip_digits(c);
                digits += (size_t)(c - start);
        }
        if (digits == 0)
                return false;
        if (*c == 'e' || *c == 'E') {
                c++;
                c += *c == '-' || *c == '+';
                start = c;
                c = skip_digits(c);
                if (c == start)
                        return false;
        }
        return !*c;
}

static json_t *decode_number(const char *text, int base, const char **problem)
{
        long long integer;
        double real;

        errno = 0;
        if (base) {
                integer = strtoll(base == 8 ? text + 2 : text, NULL, base);
                if (errno == 0)
                        return json_integer(integer);
        } else {
                real = strtod(text, NULL);
                if (isfinite(real))
                        return json_real(real);
        }
        *problem = "a number out of range; quote it if it is a text";
        return NULL;
}

static json_t *decode_plain(const char *text, size_t length, const char **problem)
{
        static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
        static const char *const trues[] = {"true", "True", "TRUE", NULL};
        static const char *const falses[] = {"false", "False", "FALSE", NULL};
        int base;

        if (is_one_of(text, nulls))
                return json_null();
        if (is_one_of(text, trues))
                return json_true();
        if (is_one_of(text, falses))
                return json_false();
        base = integer_base(text);
        if (base || is_decimal(text))
                return decode_number(text, base, problem);
        return json_stringn(text, length);
}

/* Whether a value read as a plain scalar is what the tag asks for. */
static bool is_of_tag(const json_t *value, const char *kind)
{
        switch (json_typeof(value)) {
        case JSON_INTEGER:
                return strcmp(kind, "int") == 0 || strcmp(kind, "float") == 0;
        case JSON_REAL:
                return strcmp(kind, "float") == 0;
        case JSON_TRUE:
        case JSON_FALSE:
                return strcmp(kind, "bool") == 0;
        case JSON_NULL:
                return strcmp(kind, "null") == 0;
        default:
                return false;
        }
}

int yaml_scalar_decode(const char *text, size_t length, bool plain, const char *tag, json_t **out,
                       const char **problem)
{
        static const char prefix[] = "tag:yaml.org,2002:";
        static const char *const kinds[] = {"int", "float", "bool", "null", NULL};
        const char *kind = NULL;
        json_t *value;

        if (tag && strncmp(tag, prefix, sizeof(prefix) - 1) == 0)
                kind = tag + sizeof(prefix) - 1;
        if (tag && (!kind || (strcmp(kind, "str") != 0 && !is_one_of(kind, kinds)))) {
                *problem = "unknown tag";
                return -EINVAL;
        }
        if (strlen(text) != length) {
                *problem = "a text with a NUL character";
                return -EINVAL;
        }
        *problem = NULL;
        if ((kind && strcmp(kind, "str") != 0) || (!kind && plain))
                value = decode_plain(text, length, problem);
        else
                value = json_stringn(text, length);
        if (!value)
                return *problem ? -EINVAL : -ENOMEM;
        if (kind && strcmp(kind, "str") != 0 && !is_of_tag(value, kind)) {
                json_decref(value);
                *problem = "the value does not fit its tag";
                return -EINVAL;
        }
        *out = value;
        return 0;
}
