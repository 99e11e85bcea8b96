# One image for web, worker and the command line: docker run IMAGE connector --help
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md deploy/constraints.txt ./
COPY connector connector
COPY adapters adapters
RUN python -m venv /opt/hub \
    && /opt/hub/bin/pip install --no-cache-dir --disable-pip-version-check \
        --constraint constraints.txt . \
    && /opt/hub/bin/connector --version

FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 10001 hub \
    && useradd --uid 10001 --gid 10001 --home-dir /data --create-home hub
COPY --from=build /opt/hub /opt/hub
# By number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
# Alone it is a whole hub on an embedded ledger in /data; deploy/ says what more of them need.
ENV PATH=/opt/hub/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CONNECTOR_STORE_URL=sqlite:////data/connector.db \
    CONNECTOR_BIND=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8081/live', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["connector", "serve"]
