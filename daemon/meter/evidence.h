/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "proto.h"
#include "wire/server.h"

/** The methods of io.vmctl.Billing that show what bills rest on. */
void evidence_export_ledger(WireCall *call, const ProtoBillingExportLedgerCall *in);
void evidence_explain(WireCall *call, const ProtoBillingExplainCall *in);
void evidence_verify(WireCall *call, const ProtoBillingVerifyCall *in);
