#pragma once
#include <memory>
#include <string>

#include "core/device.h"
#include "model/plan.h"
#include "nativevaccine.h"
#include "train/session.h"

struct nv_device {
    std::unique_ptr<nv::Device> device;
    // What it failed of; empty while it works. Calls that only ask may be the ones that find out.
    mutable std::string failure;
};

struct nv_plan {
    nv::Plan plan;
};

struct nv_session {
    // Calls that only ask leave the session as it is, but the engine's stream is shared: mutable, and one thread at a time by contract.
    const nv_device& owner;
    mutable nv::Session session;
    mutable std::string failure;

    nv_session(const nv_device& device, const nv::Plan& plan) : owner(device), session(*device.device, plan) {}
};
