#!/bin/bash
# All parties of examples/relay on this machine: an authority, a gateway behind nginx that ends TLS, an agent with sshd, and a client.
# A file goes over scp, and the gateway is killed in the middle of it. Needs nginx, OpenSSH (client and server) and openssl.
#
#   WICKETGATE=target/release/wicketgate examples/relay/try.sh          a file of 1024 MiB
#   SIZE_MIB=64 GATEWAY=8443 WALL=9443 SSHD=2200 examples/relay/try.sh  ports of 127.0.0.1
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
wicketgate=$(realpath "${WICKETGATE:-$(command -v wicketgate)}")
size=${SIZE_MIB:-1024} gateway=${GATEWAY:-8443} wall=${WALL:-9443} sshd=${SSHD:-2200}
dir=$(mktemp -d)
cd "$dir"
# All that is started here, and nothing else, is stopped at the end.
pids=()
finish() {
  kill "${pids[@]}" 2>/dev/null || true
  wait || true
  rm -rf "$dir"
}
trap finish EXIT

# Runs a program, with what it says in a file of its name.
start() {
  local name=$1
  shift
  "$@" >>"$name.log" 2>&1 &
  pids+=($!)
}

# Waits until a file holds a line.
until_said() {
  for _ in $(seq 300); do
    grep -q "$2" "$1.log" && return
    sleep 0.1
  done
  echo "$1 did not say \"$2\":" && cat "$1.log" && exit 1
}

echo "the authority, and whom it vouches for"
"$wicketgate" ca init site.example
for party in "gateway front" "agent office-pc" "client alice"; do
  # shellcheck disable=SC2086
  "$wicketgate" ca issue $party
done
(umask 077 && openssl rand -base64 32 >ticket-secret)
# What browsers would see, at nginx and behind it; in earnest, of an authority that they know.
printf '[req]\ndistinguished_name = none\n[none]\n' >openssl.conf
(umask 077 && openssl req -x509 -config openssl.conf -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=CA:FALSE \
  -keyout example.com.key -out example.com.pem) 2>openssl.log || { cat openssl.log && exit 1; }

echo "the gateway, and nginx in front of it"
sed "s/127.0.0.1:8443/127.0.0.1:$gateway/" "$here/wicketgate.yaml" >wicketgate.yaml
start_gateway() { start gateway env CERTIFICATES="$dir" "$wicketgate" run --config wicketgate.yaml; }
start_gateway
gateway_pid=${pids[-1]}
cat >nginx.conf <<EOF
daemon off;
pid $dir/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  server {
    listen 127.0.0.1:$wall ssl;
    ssl_certificate $dir/example.com.pem;
    ssl_certificate_key $dir/example.com.key;
    location = /relay {
      proxy_pass https://127.0.0.1:$gateway;
      proxy_ssl_verify on;
      proxy_ssl_trusted_certificate $dir/example.com.pem;
      proxy_ssl_name localhost;
      proxy_http_version 1.1;
      proxy_set_header Host \$host;
      proxy_set_header Upgrade \$http_upgrade;
      proxy_set_header Connection upgrade;
    }
  }
}
EOF
start nginx nginx -e stderr -c "$dir/nginx.conf"

echo "sshd, and the agent beside it"
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub authorized
echo "office-pc $(cut -d' ' -f1,2 host.pub)" >known
cat >sshd.conf <<EOF
ListenAddress 127.0.0.1:$sshd
HostKey $dir/host
AuthorizedKeysFile $dir/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
EOF
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
start sshd "$(PATH=$PATH:/usr/sbin command -v sshd)" -D -e -f "$dir/sshd.conf"
way="url: https://localhost:$wall/relay\n  https: {ca: $dir/example.com.pem}"
sed "s|^  url: .*|  $way|; s|127.0.0.1:22\$|127.0.0.1:$sshd|" "$here/agent.yaml" >agent.yaml
sed "s|^  url: .*|  $way|" "$here/client.yaml" >client.yaml
export IDENTITIES=$dir
start agent "$wicketgate" agent --config agent.yaml
until_said agent " connected "

options=(-F none -i key -o UserKnownHostsFile="$dir/known" -o IdentitiesOnly=yes -o BatchMode=yes
  -o ProxyCommand="'$wicketgate' connect %h ssh --stdio --config '$dir/client.yaml'")
echo "ssh to office-pc"
ssh "${options[@]}" office-pc 'echo "ssh works: $0"'

echo "scp of $size MiB, and kill -9 of the gateway in the middle of it"
dd if=/dev/urandom of=sent bs=1M count="$size" status=none
scp -q "${options[@]}" sent "office-pc:$dir/received" 2>scp.log &
scp=$!
half=$((size << 19))
while [ "$(stat -c %s received 2>/dev/null || echo 0)" -lt "$half" ]; do
  kill -0 $scp || { cat scp.log && exit 1; }
  sleep 0.02
done
disown "$gateway_pid"
kill -9 "$gateway_pid"
echo "killed after $(($(stat -c %s received) >> 20)) MiB"
start_gateway
wait $scp || { cat scp.log && exit 1; }
grep resumed scp.log
cmp sent received
echo "the checksum holds: $(sha256sum <received | cut -d' ' -f1)"
