# SPDX-License-Identifier: Apache-2.0
# needs: node
# Node.js: workers, an HTTP server and client, streams, the thread pool, UDP, signals, WebAssembly.
# sgx-memory: 4G
cat > main.js <<'END'
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const http = require('http'), fs = require('fs'), crypto = require('crypto'), zlib = require('zlib');
const dgram = require('dgram'), dns = require('dns');
if (!isMainThread) {
	let sum = 0;
	for (let i = 0; i < 1e6; i++) sum += i;
	parentPort.postMessage(sum * workerData);
} else (async () => {
	for (const sum of await Promise.all([1, 2, 3].map(n => new Promise((good, bad) =>
		new Worker(__filename, { workerData: n }).on('message', good).on('error', bad)))))
		console.log(sum);
	const server = http.createServer((request, reply) => {
		let n = 0;
		request.on('data', data => n += data.length).on('end', () => reply.end('length ' + n));
	});
	await new Promise(done => server.listen(0, '127.0.0.1', done));
	const post = () => new Promise((good, bad) => http.request({ host: '127.0.0.1', port: server.address().port,
		method: 'POST' }, reply => { let text = ''; reply.on('data', d => text += d).on('end', () => good(text)); })
		.on('error', bad).end('x'.repeat(300000)));
	console.log(new Set(await Promise.all(Array.from({ length: 30 }, post))));
	server.close();
	fs.writeFileSync('file', Buffer.alloc(1e6, 7));
	console.log(crypto.createHash('sha256').update(await fs.promises.readFile('file')).digest('hex'));
	await new Promise(done => fs.createReadStream('file').pipe(zlib.createGzip())
		.pipe(fs.createWriteStream('file.gz')).on('finish', done));
	console.log(zlib.gunzipSync(fs.readFileSync('file.gz')).length);
	console.log(await new Promise(done => crypto.pbkdf2('a', 'b', 1000, 32, 'sha256', (e, key) => done(key.toString('hex')))));
	console.log((await dns.promises.lookup('localhost')).family > 0);
	const udp = dgram.createSocket('udp4');
	await new Promise(done => udp.bind(0, '127.0.0.1', done));
	const message = new Promise(done => udp.on('message', done));
	dgram.createSocket('udp4').send('hello', udp.address().port, '127.0.0.1', function () { this.close(); });
	console.log(String(await message));
	udp.close();
	const got = new Promise(done => process.on('SIGUSR2', done));
	process.kill(process.pid, 'SIGUSR2');
	console.log(await got);
	const watch = fs.watch('.'), seen = new Promise(done => watch.on('change', (what, name) => name === 'new' && done(name)));
	fs.writeFileSync('new', '');
	console.log(await Promise.race([seen, new Promise(done => setTimeout(done, 3000, 'nothing'))]));
	watch.close();
	console.log(new WebAssembly.Module(Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0])) instanceof WebAssembly.Module);
	process.exit(4);
})();
END
$R $(command -v node) main.js || echo "status $?"
echo 'console.log(process.argv.length)' | $R $(command -v node) -
