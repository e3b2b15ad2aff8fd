/* A bearer token in a file that somebody rotates (the kubelet does so for service accounts). */
#pragma once

#include "base/error.h"
#include "base/file_identity.h"

struct bearer_token {
        char *path; /* owned */
        char *text; /* owned; NULL: to be read */
        struct file_identity identity;
};

/* Reads the file if it has changed since the last time. While it cannot be read, the last token is used.
 * Returns 0 and *text, borrowed until the next call; or a negative errno with *error set (without the
 * token): there has never been one. */
int bearer_token_get(struct bearer_token *token, const char **text, struct error *error);

/* The server refused it: read the file the next time, changed or not. */
void bearer_token_forget(struct bearer_token *token);

/* Wipes and frees. */
void bearer_token_clear(struct bearer_token *token);
