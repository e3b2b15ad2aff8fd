#include "io/bearer_token.h"

#include "io/files.h"

#include <errno.h>
#include <string.h>

static void wipe(char *text)
{
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

/* What would break out of the header, or be no token (RFC 6750, section 2.1). */
static bool is_token(const char *text)
{
        for (const char *c = text; *c; c++)
                if (*c <= ' ' || *c >= 0x7f)
                        return false;
        return true;
}

static int read_token(struct bearer_token *token, const struct stat *status, struct error *error)
{
        char *text = NULL;
        int r = files_read_secret(token->path, &text, error);

        if (r == 0 && !is_token(text))
                r = error_set(error, token->path,
                              "holds no token: its first line has spaces or control characters");
        if (r < 0) {
                wipe(text);
                return r;
        }
        wipe(token->text);
        token->text = text;
        token->identity = file_identity_of(status);
        return 0;
}

int bearer_token_get(struct bearer_token *token, const char **text, struct error *error)
{
        struct file_identity identity;
        struct stat status;
        int r = 0;

        if (stat(token->path, &status) < 0) {
                r = -errno;
                (void)error_set(error, token->path, "cannot read the token: %s", strerror(-r));
        } else {
                identity = file_identity_of(&status);
                if (!token->text || !file_identity_equal(&identity, &token->identity))
                        r = read_token(token, &status, error);
        }
        if (r < 0 && !token->text)
                return r;
        *text = token->text;
        return 0;
}

void bearer_token_forget(struct bearer_token *token)
{
        token->identity = (struct file_identity){0};
}

void bearer_token_clear(struct bearer_token *token)
{
        wipe(token->text);
        free(token->path);
        *token = (struct bearer_token){0};
}
