# A machine in namespaces of its own, whose first process is systemd: boot.sh ROOT FOLDER
# ROOT stays as it is: what the machine writes is in FOLDER. Run it in a network and mounts of its own.
set -eu
root=$1
folder=$2

# A group of its own, by the second version of cgroups, whichever the system uses itself.
mount --make-rprivate /
mkdir -p "$folder/cgroup" "$folder/upper/mnt" "$folder/work" "$folder/root"
mount -t cgroup2 cgroup2 "$folder/cgroup"
above=$folder/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
group=$above/wicketgate-$$
mkdir "$group"
echo $$ >"$group/cgroup.procs"

boot='
set -eu
folder=$2
mount -t overlay machine -o "lowerdir=$1,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
cd "$folder/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 tmpfs dev/shm
hostname machine
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=multi-user.target --log-target=console --show-status=no
'
unshare --cgroup --pid --ipc --uts --mount --fork --kill-child=SIGKILL sh -c "$boot" boot "$root" "$folder" &
machine=$!
# With it goes all that runs on it; then its groups are empty, which takes a moment.
trap 'kill -KILL "$machine"' TERM
wait "$machine" || true
echo $$ >"$above/cgroup.procs"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
done
