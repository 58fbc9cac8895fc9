<?php

declare(strict_types=1);

namespace InnoAI\Tests\Unit;

use InnoAI\Client;
use InnoAI\Exception\APIConnectionError;
use InnoAI\Exception\APIStatusError;
use InnoAI\Exception\UnreadableAnswer;
use InnoAI\Tests\Support\RawServer;
use InnoAI\Tests\Support\ScriptedServer;
use PHPUnit\Framework\Attributes\DataProvider;

/** HTTP by curl, against servers that say odd things. */
final class TransportTest extends ScriptedTestCase
{
    private const VALIDATION = '{"valid":true,"key_id":"key_1","scopes":[],"rate_limit":7,"tier":"free"}';

    /** @dataProvider answers */
    #[DataProvider('answers')]
    public function testAnAnswerIsReadHoweverItIsWritten(string $answer): void
    {
        $server = new RawServer($answer);
        self::assertSame(7, self::clientOf($server)->auth->validate()->rate_limit);
    }

    /** @return array<string, array{string}> */
    public static function answers(): array
    {
        $body = self::VALIDATION;
        $length = strlen($body);
        [$one, $other] = str_split($body, 20) + [];
        $rest = substr($body, 40);
        $chunks = "14\r\n{$one}\r\n\0" . "14;a=b\r\n{$other}\r\n" . dechex(strlen($rest)) . "\r\n{$rest}\r\n";
        $trailer = "0\r\nX-Request-Id: req_of_a_trailer\r\n\r\n";
        return [
            'until the connection ends' => ["HTTP/1.1 200 OK\r\n\r\n{$body}"],
            'in chunks, with a trailer' => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{$chunks}{$trailer}"],
            'behind an interim answer' => [
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\0"
                . "HTTP/1.1 200 OK\r\nContent-Length: {$length}\r\n\r\n{$body}",
            ],
            'without a reason' => ["HTTP/1.1 200 \r\nContent-Length: {$length}\r\n\r\n{$body}"],
        ];
    }

    public function testHeadersOfTheLastHeadCount(): void
    {
        $server = new RawServer(
            "HTTP/1.1 103 Early Hints\r\nX-Request-Id: req_early\r\n\r\n"
            . "HTTP/1.1 418 No\r\nX-REQUEST-ID:  req_late \r\nContent-Length: 0\r\n\r\n",
        );
        try {
            self::clientOf($server)->auth->validate();
            self::fail('It was answered well.');
        } catch (APIStatusError $problem) {
            self::assertSame(['req_late', 418], [$problem->request_id, $problem->status]);
        }
    }

    /** @dataProvider broken */
    #[DataProvider('broken')]
    public function testWhatIsNoAnswerIsAnErrorOfTheConnection(string $answer): void
    {
        $server = new RawServer($answer);
        $this->expectException(APIConnectionError::class);
        self::clientOf($server)->auth->validate();
    }

    /** @return array<string, array{string}> */
    public static function broken(): array
    {
        return [
            'nothing' => [''],
            'no HTTP' => ["SSH-2.0-OpenSSH_9.2\r\n"],
            'half a head' => ["HTTP/1.1 200 OK\r\nContent-Le"],
            'half a body' => ["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"],
            'half of the chunks' => ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"va"],
        ];
    }

    /** @dataProvider unreadable */
    #[DataProvider('unreadable')]
    public function testAGoodStatusWithSomethingElseIsAnErrorOfItsOwn(string $body): void
    {
        $server = new RawServer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{$body}");
        $this->expectException(UnreadableAnswer::class);
        self::clientOf($server)->auth->validate();
    }

    /** @return array<string, array{string}> */
    public static function unreadable(): array
    {
        return [['<html>Log in to the hotel</html>'], ['[1]'], ['"text"'], ['null'], ['{"valid":'], ['']];
    }

    /** @dataProvider unreadable */
    #[DataProvider('unreadable')]
    public function testAKeyIsNotRevokedByAGoodStatusWithSomethingElse(string $body): void
    {
        $server = new RawServer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{$body}");
        $this->expectException(UnreadableAnswer::class);
        $this->expectExceptionMessage('base_url, which ends in /v1');
        self::clientOf($server)->keys->revoke('key_1');
    }

    /** @dataProvider unreadable */
    #[DataProvider('unreadable')]
    public function testNorIsASecret(string $body): void
    {
        $server = new RawServer("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{$body}");
        $this->expectException(UnreadableAnswer::class);
        self::clientOf($server)->auth->revoke('a-secret');
    }

    public function testAnEmptyObjectIsWhatTheServerSaysToARevocationBySecretAlone(): void
    {
        $answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}";
        $server = new RawServer($answer);
        self::clientOf($server)->auth->revoke('a-secret');
        $other = new RawServer($answer);
        $this->expectException(UnreadableAnswer::class);
        self::clientOf($other)->keys->revoke('key_1');
    }

    public function testAWebPageIsNoExport(): void
    {
        $server = new RawServer("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<h1>Sign in</h1>");
        $this->expectException(UnreadableAnswer::class);
        self::clientOf($server)->audit->export()->read();
    }

    public function testARedirectIsNotFollowedSoThatNoOtherServerGetsTheKey(): void
    {
        $server = new RawServer("HTTP/1.1 308 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
        $this->expectException(APIStatusError::class);
        $this->expectExceptionMessage('base_url, which names the server and ends in /v1');
        self::clientOf($server)->auth->validate();
    }

    public function testALargeBodyIsReadSlowlyWithoutBeingHeldInMemory(): void
    {
        $size = 12 << 20;
        $head = "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n";
        $server = new RawServer("{$head}\0" . str_repeat("\x01", 12));
        $before = memory_get_peak_usage();
        $read = 0;
        foreach (self::clientOf($server)->billing->usageCsv() as $number => $piece) {
            $read += strlen($piece);
            if ($number % 100 === 0) {
                usleep(1000);
            }
        }
        self::assertSame($size, $read);
        self::assertLessThan(6 << 20, memory_get_peak_usage() - $before);
    }

    public function testAServerHasToWaitWhileNobodyReadsWhatItSends(): void
    {
        $large = new RawServer("HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n" . str_repeat("\x01", 24));
        $client = self::clientOf($large);
        $download = $client->billing->usageCsv();
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID, 'delay' => 0.3]]]);
        $before = memory_get_usage();
        // While another answer is waited for, the same curl reads both.
        $client->with(['base_url' => ScriptedServer::shared()->baseUrl])->auth->validate();
        self::assertLessThan(4 << 20, memory_get_usage() - $before);
        $read = 0;
        foreach ($download as $piece) {
            $read += strlen($piece);
        }
        self::assertSame(24 << 20, $read);
    }

    public function testALargeRequestGoesOutWhole(): void
    {
        $answer = '{"id":"c","choices":[]}';
        $server = new RawServer("HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{$answer}");
        $text = str_repeat('x', 3 << 20);
        $params = ['model' => 'm', 'messages' => [['role' => 'user', 'content' => $text]]];
        self::assertSame('c', self::clientOf($server)->chat->completions->create($params)->id);
        self::assertGreaterThan(3 << 20, $server->got());
    }

    public function testConnectionsAreKept(): void
    {
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        $client = self::client();
        $client->auth->validate();
        $before = self::sockets();
        $client->auth->validate();
        $client->asCustomer('a')->with(['customer_id' => null])->auth->validate();
        self::assertSame($before, self::sockets());
    }

    public function testAStreamThatWasReadKeepsItsConnection(): void
    {
        $done = "data: {\"id\":\"c\",\"choices\":[]}\n\ndata: [DONE]\n\n";
        self::script([
            'GET /v1/auth/validate' => [['json' => self::VALID]],
            'POST /v1/chat/completions' => [['text' => "{$done}: bye\n\n", 'split' => strlen($done)]],
        ]);
        $client = self::client();
        $client->chat->completions->stream(self::CHAT)->text();
        $kept = self::sockets();
        $client->auth->validate();
        self::assertSame($kept, self::sockets());
    }

    public function testAStreamThatIsDroppedEndsItsConnection(): void
    {
        $event = "data: {\"id\":\"c\",\"choices\":[]}\n\n";
        $server = new RawServer("HTTP/1.1 200 OK\r\n\r\n{$event}" . str_repeat("\0{$event}", 10));
        $client = self::clientOf($server);
        $left = [];
        foreach (range(1, 2) as $round) {
            foreach ($client->chat->completions->stream(self::CHAT) as $chunk) {
                self::assertSame('c', $chunk->id);
                $open = self::sockets();
                break;
            }
            $left[$round] = self::sockets();
            self::assertCount(1, array_diff($open ?? [], $left[$round]));
        }
        $stream = $client->chat->completions->stream(self::CHAT);
        self::assertNotSame($left[1], self::sockets());
        unset($stream);
        self::assertSame([$left[1], $left[1]], [$left[2], self::sockets()]);
    }

    public function testAStreamThatBreaksIsAnErrorBehindWhatCameOfIt(): void
    {
        $event = "data: {\"id\":\"c\",\"choices\":[]}\n\n";
        $chunk = dechex(strlen($event)) . "\r\n{$event}\r\n";
        $server = new RawServer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{$chunk}\0{$chunk}\0ff\r\ndata");
        $read = 0;
        try {
            foreach (self::clientOf($server)->chat->completions->stream(self::CHAT) as $piece) {
                $read++;
            }
            self::fail('It ended well.');
        } catch (APIConnectionError) {
            self::assertSame(2, $read);
        }
    }

    public function testAStreamMayBeSilentForLessThanTheTimeoutAndLastLonger(): void
    {
        $event = "data: {\"id\":\"c\",\"choices\":[]}\n\n";
        $server = new RawServer("HTTP/1.1 200 OK\r\n\r\n" . str_repeat("{$event}\0", 32));
        $stream = self::clientOf($server)->chat->completions->stream(self::CHAT, ['timeout' => 1.5]);
        self::assertCount(32, iterator_to_array($stream));
    }

    public function testAStreamIsReadOnce(): void
    {
        $server = new RawServer("HTTP/1.1 200 OK\r\n\r\ndata: {\"id\":\"c\",\"choices\":[]}\n\n");
        $stream = self::clientOf($server)->chat->completions->stream(self::CHAT);
        self::assertCount(1, iterator_to_array($stream));
        $this->expectException(\LogicException::class);
        $stream->text();
    }

    public function testAForkGoesOnWithAConnectionOfItsOwn(): void
    {
        if (!function_exists('pcntl_fork') || !function_exists('posix_kill')) {
            self::markTestSkipped('pcntl or posix is not there');
        }
        self::script(['GET /v1/auth/validate' => [['json' => self::VALID]]]);
        $client = self::client();
        $client->auth->validate();
        $kept = self::sockets();
        $child = pcntl_fork();
        if ($child === 0) {
            $good = $client->auth->validate()->valid && array_diff(self::sockets(), $kept) !== [];
            // Ended hard, so that the child does not finish the tests.
            posix_kill(getmypid() ?: 0, $good ? SIGKILL : SIGTERM);
        }
        pcntl_waitpid($child, $status);
        self::assertSame(SIGKILL, pcntl_wtermsig($status));
        self::assertTrue($client->auth->validate()->valid);
        self::assertCount(3, self::seen());
    }

    private static function clientOf(RawServer $server): Client
    {
        return new Client(['api_key' => self::KEY, 'base_url' => $server->baseUrl, 'max_retries' => 0]);
    }

    /** @return list<string> the open sockets of this process */
    private static function sockets(): array
    {
        if (!is_dir('/proc/self/fd')) {
            self::markTestSkipped('/proc is not there');
        }
        $links = array_map(static fn (string $name) => @readlink($name), glob('/proc/self/fd/*') ?: []);
        return array_values(array_filter($links, static fn ($link) => str_starts_with((string) $link, 'socket:')));
    }
}
