<?php

declare(strict_types=1);

namespace InnoAI\Tests\Support;

use PHPUnit\Framework\Assert;

/** A webhook receiver: PHP's own web server with receiver.php, which takes what is signed with the secret. */
final class Receiver
{
    private const PATIENCE = 20.0;

    public readonly string $url;
    private readonly string $directory;
    private readonly Process $process;

    public function __construct()
    {
        $this->directory = sys_get_temp_dir() . '/innoai-php-receiver-' . bin2hex(random_bytes(6));
        mkdir($this->directory, 0700);
        $address = Checkout::freeAddress();
        $environment = ['RECEIVER_DIRECTORY' => $this->directory, 'PATH' => (string) getenv('PATH')];
        $command = [PHP_BINARY, '-S', $address, __DIR__ . '/receiver.php'];
        $this->process = new Process($command, $this->directory, $environment, 2);
        $this->process->line(static fn (string $line): ?bool => str_contains($line, 'started') ? true : null);
        $this->url = "http://{$address}/webhooks";
    }

    public function __destruct()
    {
        $this->process->end();
        array_map(unlink(...), glob("{$this->directory}/*") ?: []);
        rmdir($this->directory);
    }

    public function expect(string $secret): void
    {
        file_put_contents("{$this->directory}/secret", $secret);
    }

    /**
     * The deliveries, once there are so many.
     *
     * @return list<array{headers: array<string, string>, body: string, verdicts: list<bool>}>
     */
    public function waitFor(int $count): array
    {
        $began = microtime(true);
        do {
            usleep(20_000);
            $files = glob("{$this->directory}/*.json") ?: [];
            Assert::assertLessThan(self::PATIENCE, microtime(true) - $began, 'The delivery did not come.');
        } while (count($files) < $count);
        sort($files);
        return array_map(static fn (string $file) => json_decode((string) file_get_contents($file), true), $files);
    }
}
