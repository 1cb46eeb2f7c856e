# shellcheck shell=bash
# Kafka's jars and the nodes' processes, for cluster.sh, which sets HERE, DIR, PORT and the two bounds in seconds.

LIB=$HERE/.lib
JAVA=${JAVA_HOME:+$JAVA_HOME/bin/}java

# Measured on two cores: without the second compiler three nodes take 11 s of CPU time until they serve instead of 16,
# and a producer is as fast; the serial collector starts as fast as G1 with fewer threads.
JVM=(-XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dlog4j2.configurationFile=$HERE/log4j2.properties")
BROKER_JVM=(-Xmx512m "${JVM[@]}" -Dcjrelay.loglevel=INFO)
TOOL_JVM=(-Xmx256m "${JVM[@]}")

say() { echo "kafka: $*" >&2; }
fail() { say "$*"; exit 1; }

# Without ps every node would look dead, and down would remove the data under running brokers.
command -v ps >/dev/null || fail "no ps found: install procps"

node_dir() { echo "$DIR/node-$1"; }
broker_port() { echo $((PORT + $1 - 1)); }
controller_port() { echo $((PORT + 10 + $1 - 1)); }

# Reads size and ports of the cluster that `up` made, so that later calls need no environment for them.
load_cluster() {
  [[ -f $DIR/cluster ]] || fail "no cluster in $DIR: start one with cluster.sh up"
  read -r NODES PORT <"$DIR/cluster"
}

bootstrap() {
  local node list=
  for ((node = 1; node <= NODES; node++)); do list+=,127.0.0.1:$(broker_port "$node"); done
  echo "${list#,}"
}

# --- what runs ---

# True until the node's recorded process is wholly gone. A process id alone may belong to another program by now, so
# the command line must be ours. A process on its way out has lost that already but still holds its ports and lock
# file: ps shows it as [java], or as a zombie with threads left ("Zl"). A zombie without threads holds nothing.
alive() {
  local pid state args
  pid=$(cat "$(node_dir "$1")/pid" 2>/dev/null) || return 1
  read -r state args < <(ps -ww -o stat=,args= -p "$pid") || return 1
  [[ $state != Z* || $state == *l* ]] && [[ $args == *"$(node_dir "$1")/server.properties"* || $args == "[java]"* ]]
}

alive_nodes() {
  local node
  for ((node = 1; node <= NODES; node++)); do
    if alive "$node"; then echo "$node"; fi
  done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Prints how many live brokers a node lists in its metadata, 0 when it does not answer within a second. A Metadata
# request written by hand (version 1, no topics) costs milliseconds; Kafka's own tools start a JVM for a second.
# In the answer the broker count is the third int32, behind size and correlation id.
brokers_seen() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$(broker_port "$1")" || exit 1
    printf '\0\0\0\016\0\003\0\001\0\0\0\001\377\377\0\0\0\0' >&3
    for ((i = 0; i < 12; i++)); do
      IFS='' LC_ALL=C read -r -d '' -n 1 -t 1 -u 3 byte || exit 1
    done
    LC_ALL=C printf '%d\n' "'$byte"
  ) 2>/dev/null || echo 0
}

# Waits until every node given answers and lists at least as many brokers as there are nodes given.
wait_serving() {
  local node began=$SECONDS told=$SECONDS waiting
  while :; do
    waiting=()
    for node in "$@"; do
      alive "$node" || { show_logs "$node"; say "node $node has ended"; return 1; }
      (($(brokers_seen "$node") >= $#)) || waiting+=("$node")
    done
    [[ ${waiting[*]} ]] || return 0
    if ((SECONDS - began >= WAIT)); then
      show_logs "${waiting[@]}"
      say "not serving after $WAIT s: node ${waiting[*]}"
      return 1
    fi
    if ((SECONDS - told >= 5)); then
      say "waiting for node ${waiting[*]}"
      told=$SECONDS
    fi
    sleep 0.1
  done
}

show_logs() {
  local node
  for node in "$@"; do
    say "end of $(node_dir "$node")/server.log:"
    tail -n 40 "$(node_dir "$node")/server.log" >&2 || true
  done
}

# --- jars ---

# Gathers the jars unless they are there for this very pom. They are moved into place at the end, so that an
# interrupted download is never taken for a whole one.
need_jars() {
  command -v "$JAVA" >/dev/null || fail "no java found: install Java 17 or newer, or set JAVA_HOME"
  export CLASSPATH="$LIB/*"
  local want
  want=$(cksum <"$HERE/pom.xml")
  [[ $(cat "$LIB/pom.cksum" 2>/dev/null) != "$want" ]] || return 0
  command -v mvn >/dev/null ||
    fail "Kafka's jars are not in $LIB and mvn is missing: install Maven, or copy that folder from another machine"
  say "gathering Kafka's jars into $LIB (about 45 MB, once)"
  rm -rf "$LIB.new"
  mvn --quiet --batch-mode --no-transfer-progress --strict-checksums \
    --file "$HERE/pom.xml" "-Dlib.dir=$LIB.new" package >&2 ||
    fail "Maven could not gather Kafka's jars, see above: only this first step needs a Maven repository, the rest works offline"
  echo "$want" >"$LIB.new/pom.cksum"
  rm -rf "$LIB"
  mv "$LIB.new" "$LIB"
}

# --- start and stop ---

write_properties() {
  local node voters='' isr=$(((NODES + 1) / 2))
  for ((node = 1; node <= NODES; node++)); do voters+=,$node@127.0.0.1:$(controller_port "$node"); done
  cat "$HERE/broker.properties" - >"$(node_dir "$1")/server.properties" <<END

process.roles=broker,controller
node.id=$1
listeners=BROKER://127.0.0.1:$(broker_port "$1"),CONTROLLER://127.0.0.1:$(controller_port "$1")
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=${voters#,}
log.dirs=$(node_dir "$1")/data
default.replication.factor=$NODES
min.insync.replicas=$isr
offsets.topic.replication.factor=$NODES
transaction.state.log.replication.factor=$NODES
transaction.state.log.min.isr=$isr
share.coordinator.state.topic.replication.factor=$NODES
share.coordinator.state.topic.min.isr=$isr
END
}

# Formats all nodes at once, with one cluster id that is new each time: what outlived an older cluster can tell.
format_nodes() {
  local node id pids=() failed=()
  id=$(head -c 64 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' | cut -c 1-21)A # 16 bytes in base64
  for ((node = 1; node <= NODES; node++)); do
    "$JAVA" "${TOOL_JVM[@]}" kafka.tools.StorageTool format --cluster-id "$id" \
      --config "$(node_dir "$node")/server.properties" >"$(node_dir "$node")/server.log" 2>&1 &
    pids+=($!)
    echo $! >"$(node_dir "$node")/pid" # so that an interrupted up stops this too, before it removes the data
  done
  for ((node = 1; node <= NODES; node++)); do wait "${pids[node - 1]}" || failed+=("$node"); done
  [[ ${failed[*]} ]] || return 0
  show_logs "${failed[@]}"
  fail "formatting the storage failed: node ${failed[*]}"
}

# Started with nohup and none of our streams: a broker outlives the terminal, and whoever reads our output need not
# wait for the broker to end.
start_node() {
  local dir
  dir=$(node_dir "$1")
  nohup "$JAVA" "${BROKER_JVM[@]}" kafka.Kafka "$dir/server.properties" >>"$dir/server.log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  say "starting node $1 on 127.0.0.1:$(broker_port "$1"), pid $!, log $dir/server.log"
}

# stop_nodes SECONDS NODE...: asks all of them to stop, and kills those that have not after so many seconds.
stop_nodes() {
  local node deadline=$((SECONDS + $1))
  shift
  for node in "$@"; do kill -TERM "$(cat "$(node_dir "$node")/pid")" 2>/dev/null || true; done
  for node in "$@"; do
    while alive "$node" && ((SECONDS < deadline)); do sleep 0.05; done
    if alive "$node"; then
      say "node $node is still stopping: killing it"
      kill -KILL "$(cat "$(node_dir "$node")/pid")" 2>/dev/null || true
      while alive "$node"; do sleep 0.05; done
    fi
    rm -f "$(node_dir "$node")/pid"
  done
}
