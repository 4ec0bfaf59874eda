# The training worker's image: it retrains, and it can be the Prefect worker that starts retrainings. From the
# repository's root, for processors, and for NVIDIA GPUs (the CUDA and cuDNN that ONNX Runtime asks for):
#   docker build --file infra/worker.Dockerfile --tag perennial-worker .
#   docker build --file infra/worker.Dockerfile --tag perennial-worker:gpu --build-arg ACCEL=gpu \
#     --build-arg BASE=nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04 .
# Where pip finds only torch with CUDA, a processor's image gets it, too, and some gigabytes with it. torch's own page
# names an index of CPU wheels: hand it in as --build-arg TORCH_INDEX=…, from which torch alone is taken.
ARG BASE=python:3.11-slim-trixie
FROM ${BASE}
ARG ACCEL=cpu
ARG TORCH_INDEX

# A base with CUDA brings no Python.
RUN command -v python3 >/dev/null || { \
        apt-get update \
        && apt-get install --yes --no-install-recommends python3 python3-venv \
        && rm -rf /var/lib/apt/lists/*; }

RUN python3 -m venv /opt/perennial/venv
ENV PATH=/opt/perennial/venv/bin:$PATH

# What changes seldom comes first: a change of the code installs nothing anew but the code.
WORKDIR /opt/perennial/app
COPY constraints.txt ./
RUN PIP_EXTRA_INDEX_URL="${TORCH_INDEX}" pip install --no-cache-dir --constraint constraints.txt torch
COPY pyproject.toml README.md LICENSE ./
COPY perennial ./perennial
COPY tasks ./tasks
COPY flows ./flows
# Editable, as `make setup` does it, which is what all tests run on. The code stays root's.
RUN pip install --no-cache-dir --constraint constraints.txt --editable ".[${ACCEL},worker]"
COPY infra ./infra

RUN useradd --uid 10001 --create-home --home-dir /var/lib/perennial perennial
USER 10001:10001
# It stays in the folder of the code, into which pipelines/ is mounted: which, and their data, is not its business.

# All that is written goes to the volume or to /tmp, so the root file system may be read-only.
ENV HOME=/var/lib/perennial \
    PERENNIAL_HOME=/var/lib/perennial \
    PERENNIAL_CODE=/opt/perennial/app \
    PREFECT_HOME=/var/lib/perennial/prefect \
    PREFECT_UI_STATIC_DIRECTORY=/tmp/prefect-ui \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_WAIT_POLICY=PASSIVE \
    DO_NOT_TRACK=1 \
    GX_ANALYTICS_ENABLED=false \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    HF_HUB_DISABLE_TELEMETRY=1 \
    ORT_DISABLE_TELEMETRY=1
VOLUME /var/lib/perennial

# Secrets may come as files: see the script.
ENTRYPOINT ["/opt/perennial/app/infra/with-secrets.sh"]
CMD ["perennial", "--help"]
