# SPDX-License-Identifier: Apache-2.0
# needs: java javac
# Java: a thread pool, sockets, mapped files, collections of garbage, faults turned into exceptions.
# sgx-memory: 4G
cat > Main.java <<'END'
import java.io.*;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

public class Main {
	static int deep(int n) { return deep(n + 1) + 1; }

	public static void main(String[] args) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(8);
		List<Future<Integer>> all = new ArrayList<>();
		for (int i = 0; i < 200; i++) {
			int n = i;
			all.add(pool.submit(() -> { Thread.sleep(1); return n; }));
		}
		int sum = 0;
		for (Future<Integer> f : all) sum += f.get();
		pool.shutdown();
		System.out.println(sum);
		ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
		Thread server = new Thread(() -> {
			try (Socket s = listener.accept()) { s.getOutputStream().write("hello\n".getBytes()); }
			catch (IOException e) { e.printStackTrace(); }
		});
		server.start();
		try (Socket s = new Socket(listener.getInetAddress(), listener.getLocalPort())) {
			System.out.println(new BufferedReader(new InputStreamReader(s.getInputStream())).readLine());
		}
		server.join();
		Path path = Files.createTempFile("rakis", "");
		Files.write(path, new byte[1000000]);
		try (FileChannel c = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 1000000);
			m.put(5, (byte) 7);
			m.force();
			ByteBuffer b = ByteBuffer.allocate(10);
			c.read(b, 0);
			System.out.println(b.get(5));
			System.out.println(c.tryLock() != null);
		}
		Files.delete(path);
		byte[][] garbage = new byte[200][];
		for (int round = 0; round < 50; round++)
			for (int i = 0; i < 200; i++) garbage[i] = new byte[100000];
		System.gc();
		try { Object o = null; o.hashCode(); } catch (NullPointerException e) { System.out.println("null"); }
		try { deep(0); } catch (StackOverflowError e) { System.out.println("overflow"); }
		System.out.println(Selector.open().select(20));
		Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
		System.exit(5);
	}
}
END
javac Main.java
$R $(command -v java) -Xshare:auto Main || echo "status $?"
$R $(command -v java) -XX:+UseSerialGC -Xmx64m Main || echo "status $?"
