/* The words of the configuration, shared with the annotations. */
#include "core/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int forwarding_parse(const char *text, enum forwarding *out)
{
        if (strcmp(text, "nat") == 0)
                *out = FORWARDING_NAT;
        else if (strcmp(text, "tunnel") == 0)
                *out = FORWARDING_TUNNEL;
        else
                return -EINVAL;
        return 0;
}

const char *scheduler_lookup(const char *name)
{
        static const char *const names[] = {"rr",   "wrr",   "lc", "wlc", "sh",  "dh", "sed",
                                            "lblc", "lblcr", "nq", "fo",  "ovf", "mh"};

        for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
                if (strcmp(names[i], name) == 0)
                        return names[i];
        return NULL;
}

int health_check_parse(const char *text, struct health_check *out)
{
        char *path = NULL;
        enum health_check_type type;

        if (strcmp(text, "tcp") == 0) {
                type = HEALTH_CHECK_TCP;
        } else if (strcmp(text, "none") == 0) {
                type = HEALTH_CHECK_NONE;
        } else if (strncmp(text, "http:/", 6) == 0 && token_is_safe(text)) {
                type = HEALTH_CHECK_HTTP;
                path = strdup(text + 5);
                if (!path)
                        return -ENOMEM;
        } else {
                return -EINVAL;
        }
        free(out->path);
        out->type = type;
        out->path = path;
        return 0;
}

bool token_is_safe(const char *text)
{
        if (!*text)
                return false;
        return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-")] ==
               '\0';
}
