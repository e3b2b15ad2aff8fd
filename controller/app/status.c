/* coracle status: what the running daemon serves and announces, and why not. */
#include "app/commands.h"
#include "app/describe.h"
#include "base/cleanup.h"
#include "io/status_server.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int command_status(const struct options *options)
{
        const char *output = options->output ? options->output : "text";
        _cleanup_json_ json_t *status = NULL;
        struct error error = {0}, silent = {0};
        char path[PATH_MAX];

        if (options->n_arguments || (strcmp(output, "text") != 0 && strcmp(output, "json") != 0)) {
                (void)error_set(&error, NULL, "status takes no arguments, and --output text or json");
                command_complain(&error);
                return EXIT_USAGE;
        }
        (void)snprintf(path, sizeof(path), "%s/coracle.sock", options->run_dir);
        if (status_query(path, &status, &error) < 0) {
                (void)error_set(&silent, error.where, "%s; every VIP: controller-silent", error.what);
                command_complain(&silent);
                return EXIT_RUNTIME;
        }
        if (strcmp(output, "json") == 0) {
                (void)json_dumpf(status, stdout, JSON_INDENT(2));
                (void)putchar('\n');
        } else {
                describe_print(status);
        }
        return EXIT_FINE;
}
