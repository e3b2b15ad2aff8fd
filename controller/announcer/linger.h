/* The exabgp container's preStop: kubelet stops all containers of a pod at the same time, but coracle has to
 * say over BGP that the pod leaves, and the node's route into the pod is needed until it has left.
 */
#pragma once

/* Returns when coracle, which listens on the socket at `path`, has ended; at once if it does not listen;
 * after `seconds` in any case. Blocks. */
void linger(const char *path, unsigned int seconds);
