# SPDX-License-Identifier: Apache-2.0
# needs: perl
# quick: yes
# perl: threads, sockets, locks, signals, timers, directories, errors.
mkdir -p out tree/a tree/b
for i in 1 2 3 4 5; do seq $i > tree/a/f$i; done
$R /usr/bin/perl -e 'use threads;
	my @t = map { my $n = $_; threads->create(sub { my $s = 0; $s += $_ for 1 .. 10000; $s * $n }) } 1 .. 8;
	print $_->join, "\n" for @t'
cat > script.pl <<'END'
use strict; use warnings; $| = 1;
use Fcntl qw(:flock :seek :DEFAULT); use Socket; use IO::Select; use IO::Socket::INET; use IO::Socket::UNIX;
use File::Find; use File::Copy; use File::Temp 'tempfile'; use Time::HiRes qw(setitimer ITIMER_REAL); use POSIX ();
sysopen(my $f, 'out/lock', O_RDWR | O_CREAT | O_EXCL, 0640) or die;
print sysopen(my $g, 'out/lock', O_RDWR | O_CREAT | O_EXCL) ? 'again' : "$!", "\n";
flock($f, LOCK_EX | LOCK_NB) or die; open(my $h, '<', 'out/lock') or die;
print flock($h, LOCK_SH | LOCK_NB) ? 'shared' : 'locked', "\n"; flock($f, LOCK_UN);
syswrite $f, "hello world\n"; sysseek $f, 6, SEEK_SET; sysread $f, my $b, 5; print "$b\n"; truncate $f, 5; print -s $f, "\n";
my $l = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->sockport) or die;
my $s = $l->accept; print $s->peerhost, "\n"; my $sel = IO::Select->new($s);
print scalar($sel->can_read(0.01)) // 'nothing', "\n"; print $c "line\n"; $c->flush;
print scalar(my @r = $sel->can_read(5)), ' ', scalar <$s>; shutdown $c, 1; print defined(<$s>) ? 'data' : 'end', "\n";
my $u = IO::Socket::UNIX->new(Local => 'sock', Listen => 1) or die; my $v = IO::Socket::UNIX->new('sock') or die;
socketpair(my $x, my $y, AF_UNIX, SOCK_STREAM, 0) or die; syswrite $x, 'pair'; sysread $y, $b, 9; print "$b\n";
my $bad = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 1); print "$!\n";
pipe(my $in, my $o); syswrite $o, 'piped'; close $o; print <$in>, "\n"; { local $SIG{PIPE} = sub { print "SIGPIPE\n" }; close $in; pipe $in, $o; close $in; print syswrite($o, 'x') // "$!", "\n"; }
eval { local $SIG{ALRM} = sub { die "alarm\n" }; setitimer(ITIMER_REAL, 0.05); sleep 10; }; print $@;
my $n = 0; { local $SIG{ALRM} = sub { $n++ }; setitimer(ITIMER_REAL, 0.01, 0.01); select undef, undef, undef, 5 while $n < 3; setitimer(ITIMER_REAL, 0); } print "ticks\n";
$SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$;
my $set = POSIX::SigSet->new(POSIX::SIGUSR1()); POSIX::sigprocmask(POSIX::SIG_BLOCK(), $set); kill USR1 => $$; print "blocked\n"; POSIX::sigprocmask(POSIX::SIG_UNBLOCK(), $set);
my @all; find(sub { push @all, $File::Find::name if -f }, 'tree'); print "$_\n" for sort @all;
copy('tree/a/f5', 'out/copy') or die; move('out/copy', 'out/moved') or die; utime 1000, 2000, 'out/moved'; chmod 0604, 'out/moved';
printf "%o %d %d\n", (stat 'out/moved')[2, 8, 9]; link 'out/moved', 'out/hard'; symlink 'moved', 'out/soft'; print readlink 'out/soft', ' ', (stat 'out/soft')[3], "\n";
my ($t, $name) = tempfile(); print $t 'x' x 5000; close $t; print -s $name, "\n"; unlink $name; print -e $name ? 'there' : 'gone', "\n";
for my $what (sub { opendir my $d, 'nope' }, sub { mkdir 'tree' }, sub { rmdir 'tree' }, sub { open my $d, '>', 'tree' }, sub { chdir 'script.pl' }) { $what->(); print "$!\n" }
print join(' ', (getpwuid 0)[0, 7]), ' ', scalar(getservbyname('http', 'tcp')), ' ', inet_ntoa(scalar gethostbyname 'localhost'), "\n";
my @tm = gmtime 86400 * 365; print POSIX::strftime('%F %T', @tm), ' ', (POSIX::uname())[0], "\n"; exit 9;
END
$R /usr/bin/perl script.pl || echo "status $?"
