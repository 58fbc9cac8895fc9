<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Tests\Support\InnoaiServer;
use InnoAI\Tests\Support\Script;
use PHPUnit\Framework\TestCase;

/** The Authentication page's own snippet, with another host and key and nothing else changed. */
final class SeedTest extends TestCase
{
    private const SNIPPET = <<<'PHP'
        <?php
        use InnoAI\Client;

        $client = new Client([
            'api_key' => $_ENV['INNOAI_API_KEY'],
            'base_url' => 'https://ai-gateway.innoserver.cloud/v1'
        ]);
        PHP;

    private const USE = <<<'PHP'

        echo $client->chat->completions->create([
            'model' => 'inno-ai-boyong-4.5',
            'messages' => [['role' => 'user', 'content' => 'Hello']],
        ])->choices[0]->message->content;
        PHP;

    public function testThePagesSnippetRuns(): void
    {
        self::assertSame('Hello', $this->ran('-d', 'variables_order=EGPCS'));
    }

    public function testItRunsWherePhpDoesNotFillEnvAndWithNothingButCurl(): void
    {
        $this->skipWithoutSharedCurl();
        $said = $this->ran('-n', '-d', 'extension=curl', '-d', 'variables_order=GPCS', '-d', 'error_reporting=E_ERROR');
        self::assertSame('Hello', $said);
    }

    private function ran(string ...$flags): string
    {
        $server = InnoaiServer::shared();
        $code = str_replace('https://ai-gateway.innoserver.cloud/v1', $server->baseUrl, self::SNIPPET . self::USE);
        return Script::run($code, ['INNOAI_API_KEY' => $server->adminKey], array_values($flags));
    }

    private function skipWithoutSharedCurl(): void
    {
        if (!is_file(ini_get('extension_dir') . '/curl.so')) {
            self::markTestSkipped('curl is built into this PHP: it cannot be run with nothing else');
        }
    }
}
