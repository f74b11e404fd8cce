/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "meter/controller.h"
#include "meter/http.h"
#include "meter/openmetrics.h"
#include "meter/store.h"

/**
 * The page /metrics: what was used, and how metering itself fares.  What is told of usage
 * is a total of the ledger's, so that no restart of anything makes it smaller.
 */
typedef struct {
    MeterStore *store;
    Controller *controller;
} Metrics;

/** The page; metrics must outlive who serves it. */
HttpPage metrics_get_page(Metrics *metrics);

/** The families of the page, in its order. */
const MetricFamily *metrics_get_families(gsize *ret_count);
