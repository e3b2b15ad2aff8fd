#include "core/fleet.h"

/* Quadratic, of as many as there are LB pods. */
static bool most_agree_on_another(uint32_t own, const uint32_t *others, size_t n_others)
{
        for (size_t i = 0; i < n_others; i++) {
                size_t agree = 0;

                for (size_t j = 0; j < n_others; j++)
                        agree += others[j] == others[i];
                if (others[i] != own && agree > (n_others + 1) / 2)
                        return true;
        }
        return false;
}

bool fleet_judge(struct fleet_watch *watch, uint32_t own, const uint32_t *others, size_t n_others)
{
        if (!most_agree_on_another(own, others, n_others) || (watch->rounds && own != watch->own))
                *watch = (struct fleet_watch){0};
        else if (watch->rounds < FLEET_ROUNDS)
                watch->rounds++;
        watch->own = own;
        watch->strays = watch->rounds == FLEET_ROUNDS;
        return watch->strays;
}
