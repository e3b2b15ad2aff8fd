/* coracle controller: the command around the daemon. */
#include "app/commands.h"
#include "app/controller.h"
#include "base/log.h"
#include "io/files.h"

#include <errno.h>
#include <signal.h>

int command_controller(const struct options *options)
{
        _cleanup_config_ struct config *config = NULL;
        struct controller *controller = NULL;
        struct error error = {0};
        int r;

        if (!options->config || options->n_arguments) {
                (void)error_set(&error, NULL, "controller needs --config; see --help");
                command_complain(&error);
                return EXIT_USAGE;
        }
        (void)signal(SIGPIPE, SIG_IGN);
        r = files_read_config(options->config, &config, &error);
        if (r < 0 && r != -ENOMEM)
                r = -EINVAL; /* a file that is not there is bad usage, as for check and render */
        if (r == 0)
                r = controller_new(ev_default_loop(0), options, config, &controller, &error);
        if (r < 0) {
                log_error("controller", "cannot start", LOG_ERROR_FIELDS(&error));
                return r == -EINVAL ? EXIT_USAGE : EXIT_RUNTIME;
        }
        log_info("controller", "started", LOG_TEXT("version", CORACLE_VERSION),
                 LOG_TEXT("config", options->config), LOG_TEXT("templates", options->templates));
        controller_run(controller);
        controller_free(controller);
        log_info("controller", "stopped");
        return EXIT_FINE;
}
