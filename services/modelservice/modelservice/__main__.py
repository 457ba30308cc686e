"""Runs ModelService: python -m modelservice."""

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import uvicorn

from modelservice import config, logs
from modelservice.app import create_app
from modelservice.artifacts import Check, ObjectStore
from modelservice.errors import SettingError
from modelservice.follower import Follower, Promotions
from modelservice.metrics import Metrics
from modelservice.serving import Holder

_GRACE = 10  # seconds that requests in flight have to end
_log = logging.getLogger("modelservice")


def main() -> int:
    """Serve until SIGTERM, an interrupt, the parent's end, or a part that refuses this service at the start."""
    args = _arguments()
    try:
        settings = config.load(args.env_file)
    except SettingError as err:
        print(f"modelservice: {err}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level)
    holder, metrics, store = Holder(), Metrics(), ObjectStore(settings.store)
    denials: list[str] = []

    def give_up(why: str) -> None:
        denials.append(why)
        server.should_exit = True

    check = Check(store, give_up)
    promotions = Promotions(settings.model, store.fetch, holder, metrics)
    follower = Follower(settings.kafka, promotions, metrics, give_up)

    def start() -> None:
        check.start()
        follower.start()

    def stop() -> None:
        check.stop()
        follower.stop()

    app = create_app(holder, metrics, settings.limits, on_start=start, on_stop=stop)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=args.host,
            port=args.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    for number in (signal.SIGINT, signal.SIGTERM):  # also before uvicorn minds them, and after
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    socket = server.config.bind_socket()
    port = socket.getsockname()[1]
    if args.port_file:
        _write(args.port_file, f"{port}\n")
    if args.exit_with_parent:
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
    _log.info("listening", extra={"host": args.host, "port": port, "model": settings.model})
    server.run(sockets=[socket])
    for why in denials:
        print(f"modelservice: {why}", file=sys.stderr)
    return 1 if denials else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="modelservice",
        description="Serve the model that is in production, and follow promotions.",
        epilog=config.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 for a free one (default 8000)")
    parser.add_argument("--port-file", type=Path, help="file that the port is written to")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input does")
    parser.add_argument("--env-file", type=Path, default=Path(".env"), help="file of settings (default .env)")
    return parser.parse_args()


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def _end_with_parent(server: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.should_exit = True


if __name__ == "__main__":
    sys.exit(main())
