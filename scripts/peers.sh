#!/bin/sh
# Installs the Debian programs the tests talk to, where one is missing and we are root; their services are not started.
set -eu
missing=
for pair in dcmsend:dcmtk dciodvfy:dicom3tools Orthanc:orthanc redis-server:redis-server node:nodejs npm:npm chromium:chromium; do
    PATH=/usr/bin:/usr/sbin:/bin command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
[ -e /usr/share/java/pixelmed.jar ] && [ -x /usr/bin/java ] || missing="$missing pixelmed-apps"
[ -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc ] || missing="$missing fonts-noto-cjk"
[ -d /usr/lib/postgresql ] || missing="$missing postgresql"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
"${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "Some tests will not run here; install what they need: apt-get install$missing" >&2
    exit 0
fi
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086 - a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
