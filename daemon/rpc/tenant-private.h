/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <string.h>

#include "rpc/identity.h"
#include "rpc/rpc.h"

/** The methods of io.vmctl.Tenant that member.c has, for the table in tenant.c. */
void rpc_add_member(WireCall *call, const ProtoTenantAddMemberCall *in);
void rpc_remove_member(WireCall *call, const ProtoTenantRemoveMemberCall *in);
void rpc_list_members(WireCall *call, const ProtoTenantListMembersCall *in);
void rpc_create_token(WireCall *call, const ProtoTenantCreateTokenCall *in);
void rpc_list_tokens(WireCall *call, const ProtoTenantListTokensCall *in);
void rpc_revoke_token(WireCall *call, const ProtoTenantRevokeTokenCall *in);
