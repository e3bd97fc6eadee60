/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the D-Bus interface, shared by the daemon that serves it and the command that asks:
 * constants only, so that the command links nothing of this floor. They are the contract with
 * everybody's scripts: add, never change. */
#ifndef MEDIAKIT_BUS_NAMES_H
#define MEDIAKIT_BUS_NAMES_H

#ifndef MEDIAKIT_VERSION
#define MEDIAKIT_VERSION "0.1"
#endif

#define BUS_NAME             "com.pointsav.MediaKit1"
#define BUS_PATH             "/com/pointsav/MediaKit1"
#define BUS_PATH_GUESTS      BUS_PATH "/guest"
/* Patterns for sd_bus_path_encode_many(): names are escaped as systemd escapes unit names
 * (bus_label_escape). */
#define BUS_PATTERN_GUEST    BUS_PATH_GUESTS "/%"
#define BUS_PATTERN_SERVICE  BUS_PATH_GUESTS "/%/service/%"

#define BUS_IFACE_MANAGER    BUS_NAME ".Manager"
#define BUS_IFACE_GUEST      BUS_NAME ".Guest"
#define BUS_IFACE_SERVICE    BUS_NAME ".Service"

/* Sockets in the runtime directory: `status` is open to all and only reads; `control` does
 * everything. */
#define BUS_RUNTIME_DEFAULT  "/run/mediakitd"
#define BUS_SOCKET_STATUS    "status"
#define BUS_SOCKET_CONTROL   "control"
#define BUS_CONTROL_GROUP    "mediakit"

/* How long a person may take to type the password that polkit wants; systemd's own daemons give as
 * much. */
#define BUS_POLKIT_TIMEOUT   (2 * USEC_PER_MINUTE)

/* Errors; the text that comes with one is a line for the operator. */
#define BUS_ERROR            BUS_NAME ".Error."
#define BUS_ERROR_NO_GUEST   BUS_ERROR "NoSuchGuest"
#define BUS_ERROR_BUSY       BUS_ERROR "Busy"
#define BUS_ERROR_TIMED_OUT  BUS_ERROR "TimedOut"
#define BUS_ERROR_NOT_PROVISIONED BUS_ERROR "NotProvisioned"
#define BUS_ERROR_PORT_TAKEN BUS_ERROR "PortTaken"
#define BUS_ERROR_LATCHED    BUS_ERROR "Latched"    /* given up; reset-failed first */
#define BUS_ERROR_NOT_RUNNING BUS_ERROR "NotRunning"
#define BUS_ERROR_NO_HYPERVISOR BUS_ERROR "NoHypervisor"
/* another request overtook it, or the daemon ends */
#define BUS_ERROR_CANCELLED  BUS_ERROR "Cancelled"
#define BUS_ERROR_INVALID    BUS_ERROR "InvalidArgument"
#define BUS_ERROR_READ_ONLY  BUS_ERROR "ReadOnly"   /* asked on the status socket */
#define BUS_ERROR_FAILED     BUS_ERROR "Failed"

#endif
