/* Rights that are needed once. */
#pragma once

/* Gives up CAP_SYS_ADMIN for good: entering the node's namespace was all it was for. Nothing happens where it
 * is not held. */
void privileges_drop(void);
