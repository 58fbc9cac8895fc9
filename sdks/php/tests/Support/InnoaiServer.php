<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

use InnoAI\Client;
use PHPUnit\Framework\Assert;

/** A real innoai server with the echo model, in a directory of its own, one for all tests. */
final class InnoaiServer
{
    public const MODEL = 'inno-ai-boyong-4.5';

    private const SETTINGS = <<<'TOML'
        [server]
        bind = "127.0.0.1:0"
        [limits]
        failed_auth = 1000000
        [webhooks]
        allowed_networks = ["127.0.0.0/8"]
        [models."inno-ai-boyong-4.5"]
        upstreams = [{ base_url = "echo:" }]
        [models."inno-ai-boyong-4.5".price]
        prompt = "1000"
        completion = "2000"
        TOML;

    private static ?self $shared = null;

    public readonly string $directory;
    public readonly string $adminKey;
    private string $origin = '';
    private ?Process $process = null;

    private function __construct(private readonly string $innoai)
    {
        $this->directory = sys_get_temp_dir() . '/innoai-php-' . bin2hex(random_bytes(6));
        mkdir($this->directory, 0700);
        file_put_contents("{$this->directory}/innoai.toml", self::SETTINGS);
        $this->adminKey = $this->initialise();
        $this->start();
    }

    public function __destruct()
    {
        $this->stop();
        $within = new \RecursiveDirectoryIterator($this->directory, \FilesystemIterator::SKIP_DOTS);
        foreach (new \RecursiveIteratorIterator($within, \RecursiveIteratorIterator::CHILD_FIRST) as $file) {
            $file->isDir() ? rmdir($file->getPathname()) : unlink($file->getPathname());
        }
        rmdir($this->directory);
    }

    /** The server; without an installation the test that asks is skipped. */
    public static function shared(): self
    {
        $innoai = Checkout::innoai();
        if ($innoai === null) {
            Assert::markTestSkipped('innoai is not installed: `make install` makes .venv/bin/innoai');
        }
        return self::$shared ??= new self($innoai);
    }

    public function baseUrl(): string
    {
        return "{$this->origin}/v1";
    }

    /** @param array<string, mixed> $options */
    public function client(array $options = []): Client
    {
        return new Client(['api_key' => $this->adminKey, 'base_url' => $this->baseUrl(), ...$options]);
    }

    /** Run it until it listens; after the first time on the same port as before. */
    public function start(): void
    {
        $bind = $this->origin === '' ? [] : ['INNOAI_SERVER_BIND' => substr($this->origin, strlen('http://'))];
        $environment = [...self::environment(), ...$bind];
        // The leash ends the server when this process is killed before it can.
        $leash = [Checkout::python(), '-I', '-S', Checkout::path('tests/support/leash.py'), (string) getmypid()];
        $this->process = new Process([...$leash, $this->innoai, 'serve'], $this->directory, $environment, 2);
        $said = [];
        $origin = $this->process->line(static function (string $line) use (&$said): ?string {
            $said[] = $line;
            $event = json_decode($line, true);
            return ($event['event'] ?? null) === 'listening' ? $event['address'] : null;
        });
        Assert::assertIsString($origin, "The server did not start:\n" . implode('', $said));
        $this->origin = $origin;
    }

    public function stop(): void
    {
        $this->process?->end();
        $this->process = null;
    }

    private function initialise(): string
    {
        $process = new Process([$this->innoai, 'init', '--json'], $this->directory, self::environment(), 1);
        $made = json_decode($process->rest(), true);
        Assert::assertIsArray($made, '`innoai init --json` printed no object.');
        return $made['api_key'];
    }

    /** @return array<string, string> */
    private static function environment(): array
    {
        return ['PATH' => (string) getenv('PATH'), 'HOME' => (string) getenv('HOME'), 'PYTHONUTF8' => '1'];
    }
}
