"""Every setting, in one table: name, default, unit, help.

A setting comes from its command-line option (`--scoring-port`), else from the environment
(`TENURE_SCORING_PORT`), else from its default. `docs/settings.md` is made from this table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from tenure.errors import CannotStart

OIDC_SECRET_VARIABLE = "TENURE_OIDC_CLIENT_SECRET"  # noqa: S105  the variable's name, not a secret
"""Where the secret of an OpenID Connect client is found: no option, so that it stands in no list of processes."""

CHANNEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
PROCESSES = ("control", "gateway", "worker")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  what they mean, not where we listen
"""Addresses that mean all of a machine's, and by which one of them it reaches itself."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a server was told at its start; every process of it sees the same."""

    host: str = "127.0.0.1"
    port: int = 5000
    scoring_port: int = 0
    grpc_port: int = 0
    sign_in: Literal["solo", "required"] = "solo"
    allowed_hosts: str = ""
    public_url: str = ""
    public_scoring_url: str = ""
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_roles_claim: str = ""
    only: str = "control,gateway,worker"
    data: str = "tenure-data"
    database_url: str = ""
    database_fsync: bool = False
    artifacts_url: str = ""
    default_artifact_root: str = "mlflow-artifacts:/"
    direct_transfers: bool = False
    recipes: dict[str, str] = {}
    lookups: dict[str, str] = {}
    lookup_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    max_body_mib: int = 32
    max_artifact_gib: int = 50
    max_rows: int = 100_000
    max_outcomes_mib: Annotated[int, Meta(ge=1, le=1_000_000)] = 2048
    truncate_long_values: bool = True
    scoring_timeout_s: float = 30.0
    scorer_start_timeout_s: float = 60.0
    gateways: Annotated[int, Meta(ge=1, le=64)] = 1
    spare_scorer: bool = True
    keep_warm_s: Annotated[float, Meta(ge=0)] = 600.0
    compile_memory_mib: Annotated[int, Meta(ge=256)] = 4096
    compile_timeout_s: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    scorer_memory_mib: Annotated[int, Meta(ge=0)] = 0
    wheel_index: str = ""
    wheel_folder: str = ""
    environment_timeout_s: Annotated[float, Meta(gt=0)] = 600.0
    queue_limit: int = 256
    journal_fsync: bool = False
    segment_seal_s: float = 10.0
    segment_max_mib: int = 64
    worker_tick_ms: int = 200
    worker_niceness: Annotated[int, Meta(ge=0, le=19)] = 10
    job_lease_s: float = 30.0
    alert_channels: dict[str, str] = {}
    dropped_channels: str = ""
    webhook_allow: str = ""
    webhook_timeout_s: Annotated[float, Meta(gt=0, le=300)] = 10.0
    audit_checkpoint_hours: Annotated[float, Meta(gt=0, le=8784)] = 24.0
    audit_export: str = ""
    deleted_retention_days: Annotated[float, Meta(ge=0, le=36_500)] = 30.0
    webhook_log_days: Annotated[float, Meta(ge=0, le=36_500)] = 30.0

    @property
    def folder(self) -> Path:
        """The data folder, absolute."""
        return Path(self.data).resolve()

    @property
    def database(self) -> str:
        """The database's URL; a SQLite file in the data folder when none was given."""
        return self.database_url or f"sqlite:///{self.folder / 'tenure.db'}"

    @property
    def artifacts(self) -> str:
        """Where the files behind `mlflow-artifacts:/` are kept: a URL or a folder."""
        return self.artifacts_url or str(self.folder / "artifacts" / "mlflow")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The processes that run here, in the order of `PROCESSES`."""
        named = {name.strip() for name in self.only.split(",")}
        return tuple(kind for kind in PROCESSES if kind in named)

    @property
    def gateway_port(self) -> int:
        """The scoring port: the one after `port` when none was given."""
        return self.scoring_port or self.port + 1

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a Host header may say besides this machine's own names: as given, and the address listened on."""
        given = [host.strip().lower() for host in self.allowed_hosts.split(",") if host.strip()]
        own = [] if self.host in EVERYWHERE else [f"{_bracketed(self.host)}:{port}" for port in self._ports]
        return tuple(dict.fromkeys([*own, *given]))

    @property
    def control_url(self) -> str:
        """Where this machine reaches control."""
        return f"http://{_bracketed(self.here)}:{self.port}"

    @property
    def gateway_url(self) -> str:
        """Where this machine reaches the gateway."""
        return f"http://{_bracketed(self.here)}:{self.gateway_port}"

    @property
    def shown_url(self) -> str:
        """Where people and clients find control."""
        return self.public_url or self.control_url

    @property
    def shown_scoring_url(self) -> str:
        """Where applications find the gateway."""
        return self.public_scoring_url or self.gateway_url

    @property
    def here(self) -> str:
        """The address by which a process on this machine reaches another."""
        return EVERYWHERE.get(self.host, self.host)

    @property
    def _ports(self) -> tuple[int, int]:
        return self.port, self.gateway_port


HELP: dict[str, tuple[str, str]] = {
    "host": (
        "address",
        "Address to listen on. Any but a loopback address needs --sign-in required and --allowed-hosts.",
    ),
    "port": ("port", "Port of the API, the pages and MLflow's protocol."),
    "scoring_port": ("port", "Port of the scoring gateway. 0 means the one after --port."),
    "grpc_port": (
        "port",
        "Port of the Open Inference Protocol over gRPC; needs the extra tenure[grpc]. 0 means that none is opened.",
    ),
    "sign_in": (
        "solo/required",
        "Who may ask without saying who they are: `solo` trusts this machine, `required` trusts nobody.",
    ),
    "allowed_hosts": (
        "hosts",
        "What a Host header may say, exactly, with its port if one is typed: tenure.example.com,10.0.0.5:5000.",
    ),
    "public_url": (
        "URL",
        "Where browsers find this server when a TLS proxy stands before it, as https://tenure.example.com.",
    ),
    "public_scoring_url": ("URL", "Where applications find the scoring gateway, when a proxy stands before it."),
    "oidc_issuer": (
        "URL",
        "OpenID Connect provider that people may sign in with; needs the extra tenure[sso]. The client's secret is "
        "read from TENURE_OIDC_CLIENT_SECRET alone.",
    ),
    "oidc_client_id": ("text", "What the provider calls this server."),
    "oidc_roles_claim": (
        "claim",
        "Claim of the ID token that lists roles: they are given and taken back at each sign-in.",
    ),
    "only": ("control,gateway,worker", "Which processes run here: one or several of the three, separated by commas."),
    "data": ("folder", "Folder for everything the server keeps; made when it does not exist."),
    "database_url": ("URL", "SQLAlchemy URL of the database. Empty means a SQLite file in the data folder."),
    "database_fsync": (
        "yes/no",
        "Force every commit of SQLite to disk: survives power loss, costs latency. Postgres has its own setting.",
    ),
    "artifacts_url": (
        "URL or folder",
        "Where artifacts are kept that clients reach through the server. Empty means a folder in the data folder.",
    ),
    "default_artifact_root": (
        "URL or folder",
        "Where new experiments keep artifacts. Another root than mlflow-artifacts:/ is read and written by clients "
        "directly, and opened by the server too.",
    ),
    "direct_transfers": (
        "yes/no",
        "Tell MLflow's clients to move large files to and from the object store of --artifacts-url directly, by URLs "
        "signed for some minutes. Clients must reach it. Uploads in parts need the extra tenure[s3].",
    ),
    "recipes": ("NAME=MODULE:FUNCTION", "Training recipes that retraining may run. Repeat the option for several."),
    "lookups": (
        "NAME=URL",
        "Databases that features may be looked up in: sqlite:///file, duckdb:///file, postgresql://…, or $TENURE_NAME. "
        "Repeat the option for several.",
    ),
    "lookup_timeout_s": ("seconds", "How long a look-up may take; a request that waits longer is answered 503."),
    "max_body_mib": ("MiB", "Largest body that the API and the gateway read; artifacts have their own limit."),
    "max_artifact_gib": ("GiB", "Largest single artifact."),
    "max_rows": ("rows", "Most rows in one scoring or outcome request."),
    "max_outcomes_mib": ("MiB", "Largest file of outcomes or overrides that comes as CSV or as an Arrow stream."),
    "truncate_long_values": (
        "yes/no",
        "Cut a run's params after 6000 characters and its tags after 8000, as MLflow does; with `no` longer ones are "
        "refused, so that nothing is lost in silence.",
    ),
    "scoring_timeout_s": ("seconds", "How long a scoring request may take before 503 is answered."),
    "scorer_start_timeout_s": ("seconds", "How long a scorer may take to load its model."),
    "gateways": (
        "processes",
        "How many gateways share the scoring port. Each starts scorers of its own, and counts quotas for itself.",
    ),
    "spare_scorer": ("yes/no", "Keep one scorer process ready, so that releases and restarts take half the time."),
    "keep_warm_s": (
        "seconds",
        "How long a champion that was replaced stays loaded, so that going back to it takes no start.",
    ),
    "compile_memory_mib": (
        "MiB",
        "Most memory of the process that makes a version into a form, and loads it for that.",
    ),
    "compile_timeout_s": ("seconds", "How long that process may take before it is ended; it is tried three times."),
    "scorer_memory_mib": (
        "MiB",
        "How much memory a scorer may fill before it is ended and started again. 0 means half of the machine's.",
    ),
    "wheel_index": (
        "URL",
        "Index from which environments are made for versions that ask for other packages than the server's. Give one "
        "that needs a password by TENURE_WHEEL_INDEX. Empty means none.",
    ),
    "wheel_folder": ("folder", "Folder of wheels for such environments, alone or beside the index. Empty means none."),
    "environment_timeout_s": ("seconds", "How long it may take to resolve or to build an environment."),
    "queue_limit": ("requests", "Most requests that wait for one scorer before 429 is answered."),
    "journal_fsync": ("yes/no", "Force every journal write to disk: survives power loss, costs latency."),
    "segment_seal_s": ("seconds", "Age at which a journal segment is sealed."),
    "segment_max_mib": ("MiB", "Size at which a journal segment is sealed."),
    "worker_tick_ms": ("milliseconds", "Pause of the worker between two looks at what has arrived."),
    "worker_niceness": (
        "0 to 19",
        "How far the worker, and what it starts, stands back where processors are short: answers come first, and what "
        "it has not looked at yet waits in the journal. 0 means not at all.",
    ),
    "job_lease_s": ("seconds", "How long a job may be silent before another worker takes it over."),
    "alert_channels": (
        "NAME=URL",
        "Who may be told of alerts: smtp://user@host?from=…&to=…&password=$TENURE_NAME, a URL of apprise (extra "
        "tenure[apprise]), or $TENURE_NAME for all of it. Repeat the option for several.",
    ),
    "dropped_channels": (
        "names",
        "Channels of alerts that are taken away on purpose while models' files still name them: desk,boss. Without it "
        "control does not start, and says which models they are.",
    ),
    "webhook_allow": (
        "hosts and networks",
        "Where webhooks may go besides public addresses, also without TLS: hooks.internal,10.0.0.0/8.",
    ),
    "webhook_timeout_s": ("seconds", "How long the receiver of a webhook may take to answer."),
    "audit_checkpoint_hours": ("hours", "How often a signed checkpoint of the audit log is made."),
    "audit_export": (
        "URL or folder",
        "Where signed checkpoints are written as well, outside of the data folder: best a place that this server may "
        "add to and not change. Empty means nowhere.",
    ),
    "deleted_retention_days": ("days", "How long what was deleted is kept before `tenure admin gc` removes it."),
    "webhook_log_days": ("days", "How long the log of delivered webhooks is kept."),
}


def load(given: Mapping[str, Any], environment: Mapping[str, str]) -> Settings:
    """Settings from what was given, then `TENURE_*` in the environment, then the defaults.

    Raises CannotStart naming the setting that cannot be read.
    """
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        variable = f"TENURE_{field.name.upper()}"
        if given.get(field.name) is not None:
            values[field.name] = _from_text(field.name, given[field.name])
        elif variable in environment:
            values[field.name] = _from_text(field.name, environment[variable])
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as problem:
        raise CannotStart(f"A setting cannot be read: {problem}. See `tenure serve --help`.") from None
    unknown = {name.strip() for name in settings.only.split(",")} - set(PROCESSES)
    if unknown:
        raise CannotStart(
            f"--only takes {', '.join(PROCESSES)}, separated by commas. Got {settings.only!r}. Example: --only control"
        )
    _check_apart(settings)
    return settings


def _check_apart(settings: Settings) -> None:
    """What vouches for the data folder must not lie in it."""
    given = settings.audit_export.removeprefix("file://")
    if given and "://" not in given and Path(given).resolve().is_relative_to(settings.folder):
        raise CannotStart(
            f"--audit-export must lie outside of the data folder {settings.folder}, since it vouches for it. Got "
            f"{settings.audit_export!r}. Give a folder that this server may add to and not change, or an object store."
        )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def shown(default: Any) -> str:
    """A default as a person would write it."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return "none" if default in ("", msgspec.NODEFAULT) else str(default)


def _from_text(name: str, given: Any) -> Any:
    if not isinstance(given, str):
        return given
    if name == "recipes":
        return parse_recipes([entry for entry in given.split(",") if entry])
    if name == "alert_channels":
        return parse_channels(given.split())
    if name == "lookups":
        return parse_lookups(given.split())
    if HELP[name][0] == "yes/no":
        return {"yes": True, "on": True, "no": False, "off": False}.get(given.strip().lower(), given)
    return given


def parse_recipes(entries: list[str]) -> dict[str, str]:
    """`["flights=package.module:fit"]` as `{"flights": "package.module:fit"}`."""
    recipes = {}
    for entry in entries:
        name, separator, target = entry.partition("=")
        if not separator or ":" not in target:
            raise CannotStart(
                f"A recipe must read NAME=MODULE:FUNCTION. Got {entry!r}. Example: late=mypackage.train:fit"
            )
        recipes[name] = target
    return recipes


def parse_channels(entries: list[str]) -> dict[str, str]:
    """`["desk=smtp://mail.internal?to=a@b.example"]` by name. A URL is not repeated: it may hold a secret."""
    channels = {}
    for entry in entries:
        name, separator, url = entry.partition("=")
        if not separator or not CHANNEL_NAME.fullmatch(name) or not ("://" in url or url.startswith("$TENURE_")):
            raise CannotStart(
                "A channel for alerts must read NAME=URL: smtp://, smtps://, a URL of apprise, or a variable "
                f"$TENURE_…, which no model sees. Got {name[:40]!r}. "
                "Example: desk=smtp://tenure@mail.internal:587?from=tenure@example.com&to=desk@example.com"
            )
        channels[name] = url
    return channels


def parse_lookups(entries: list[str]) -> dict[str, str]:
    """`["crm=sqlite:///crm.db"]` as `{"crm": "sqlite:///crm.db"}`. A URL is not repeated: it may hold a password."""
    lookups = {}
    for entry in entries:
        name, separator, url = entry.partition("=")
        if not separator or not name or not url.startswith(("sqlite:///", "duckdb:///", "postgresql", "$TENURE_")):
            raise CannotStart(
                "A look-up must read NAME=URL, the URL sqlite:///, duckdb:///, postgresql:// or a variable $TENURE_…, "
                f"which no model sees. Got {name[:40]!r}. Example: crm=sqlite:////srv/crm.db"
            )
        lookups[name] = url
    return lookups
