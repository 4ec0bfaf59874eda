# The model server's image: the champion behind HTTP, without torch. Built from the repository's root:
#   docker build --file infra/serving.Dockerfile --tag perennial-serving .
#   docker run --read-only --tmpfs /tmp --volume perennial:/var/lib/perennial --publish 8000:8000 \
#     --env MLFLOW_TRACKING_URI=http://mlflow.example:5000 perennial-serving sentiment --wait
# It starts only when there are API keys on its volume (`perennial keys add`), or with --insecure.
FROM python:3.11-slim-trixie

COPY constraints.txt /opt/perennial/
RUN pip install --no-cache-dir --constraint /opt/perennial/constraints.txt \
    "cryptography" "httptools" "mlflow-skinny" "numpy" "onnxruntime" "phonenumberslite" "prometheus_client" \
    "pydantic" "python-stdnum" "pyyaml" "rich" "securesystemslib" "sqlalchemy" "starlette" "tokenizers" "typer" \
    "uvicorn" "uvloop"

COPY perennial /opt/perennial/perennial
COPY flows /opt/perennial/flows

RUN useradd --uid 10001 --create-home --home-dir /var/lib/perennial perennial
USER 10001:10001
WORKDIR /var/lib/perennial

# Nothing is written but packages of the champion, under PERENNIAL_HOME, and what is on its way there, under /tmp.
ENV PERENNIAL_HOME=/var/lib/perennial \
    PYTHONPATH=/opt/perennial \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /var/lib/perennial
EXPOSE 8000

# Alive, not ready: without a champion it waits for one, which starting it again would not bring.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]

ENTRYPOINT ["python", "-m", "flows.cli", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["--help"]
