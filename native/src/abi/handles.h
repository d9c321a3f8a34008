#pragma once
#include <atomic>
#include <memory>
#include <shared_mutex>
#include <string>

#include "core/device.h"
#include "model/plan.h"
#include "nativevaccine.h"
#include "train/session.h"

struct vaccine_device {
    std::unique_ptr<vaccine::Device> device;
    // Held for the length of a call on the device or on a session of it: they share its stream, its scratch and its threads. Shared by
    // calls that use none of these.
    mutable std::shared_mutex busy;
    // What it failed of; empty while it works. Calls that only ask may be the ones that find out.
    mutable std::string failure;

    explicit vaccine_device(std::unique_ptr<vaccine::Device> opened) : device(std::move(opened)) {}
};

struct vaccine_plan {
    vaccine::Plan plan;
};

struct vaccine_session {
    // Calls that only ask leave the session as it is, but they use the device's stream like all others.
    const vaccine_device& owner;
    mutable vaccine::Session session;
    mutable std::string failure;
    std::atomic<bool> interrupted{false};  // set and cleared by any thread, without waiting for its turn

    vaccine_session(const vaccine_device& device, const vaccine::Plan& plan) : owner(device), session(*device.device, plan) {}
};
