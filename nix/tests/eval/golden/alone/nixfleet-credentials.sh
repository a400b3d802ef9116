set -o pipefail
cd /var/lib/nixfleet-credentials
head --bytes 32 /dev/urandom | od --address-radix n --format x1 | tr --delete ' \n' > agent-token.new
echo >> agent-token.new
# Whole or not at all, also where the disk is full or the power fails.
if [ "$(stat --format %s agent-token.new)" != 65 ]; then
  echo "a token of another length than 64 characters was made; nothing is changed" >&2
  exit 1
fi
sync agent-token.new
mv agent-token.new agent-token
