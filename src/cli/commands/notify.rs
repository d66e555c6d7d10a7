//! Tells the manager of services (systemd) how a command stands: a datagram to the socket that `NOTIFY_SOCKET` names. Its
//! protocol is described in `sd_notify(3)`. Without that variable nothing is sent.

use std::io;
use std::os::unix::net::UnixDatagram;

/// It serves.
pub fn ready() {
    send("READY=1");
}

/// It reads keys and certificates again; `ready` follows.
pub fn reloading() {
    // `Type=notify-reload` wants the moment by the clock that never goes back.
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = now.tv_sec.saturating_mul(1_000_000) + now.tv_nsec / 1_000;
    send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
}

/// It begins to stop.
pub fn stopping() {
    send("STOPPING=1");
}

fn send(state: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return;
    };
    if let Err(error) = datagram(&name, state.as_bytes()) {
        tracing::warn!(event = "notify_failed", "NOTIFY_SOCKET: {error}");
    }
}

fn datagram(name: &std::ffi::OsStr, state: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::net::SocketAddr;
        // A name without a file.
        if let Some(name) = name.as_bytes().strip_prefix(b"@") {
            let address = SocketAddr::from_abstract_name(name)?;
            return socket.send_to_addr(state, &address).map(drop);
        }
    }
    socket.send_to(state, name).map(drop)
}
