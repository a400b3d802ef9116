cd /var/lib/nixfleet-credentials
head --bytes 32 /dev/urandom | od --address-radix n --format x1 | tr --delete ' \n' > agent-token.new
echo >> agent-token.new
# Whole or not at all.
mv agent-token.new agent-token
