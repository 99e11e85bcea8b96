FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY connector connector
COPY adapters adapters
RUN python -m venv /opt/hub && /opt/hub/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home hub
COPY --from=build /opt/hub /opt/hub
USER hub
WORKDIR /data
VOLUME /data
ENV PATH=/opt/hub/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CONNECTOR_STORE_URL=sqlite:////data/connector.db \
    CONNECTOR_BIND=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8081/live', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["connector", "serve"]
