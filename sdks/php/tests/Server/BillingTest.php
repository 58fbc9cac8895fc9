<?php

declare(strict_types=1);

namespace InnoAI\Tests\Server;

use InnoAI\Client;
use InnoAI\Enum\GroupBy;
use InnoAI\Exception\InsufficientQuota;
use InnoAI\Tests\Support\InnoaiServer;

/** Money: usage, statements, budgets. Of HELLO three tokens go in and come out, at 1000 and 2000 a million. */
final class BillingTest extends ServerTestCase
{
    private const COST = '0.009';
    private const REQUESTS = 3;
    private static string $spender = '';

    protected function setUp(): void
    {
        parent::setUp();
        if (self::$spender === '') {
            self::$spender = self::unique('spender');
            $this->spend($this->client->asCustomer(self::$spender, ['scopes' => ['inference:write']]));
        }
    }

    public function testCostsAreExactTextHoweverTheyAreAskedFor(): void
    {
        $spender = ['customer_id' => self::$spender];
        $records = iterator_to_array($this->client->billing->usage([...$spender, 'limit' => 2]));
        self::assertSame(array_fill(0, self::REQUESTS, self::COST), array_column($records, 'cost'));
        $page = $this->client->billing->usage([...$spender, 'group_by' => [GroupBy::Model, 'customer']]);
        self::assertSame(['USD', true], [$page->currency, $page->from < $page->to]);
        $model = InnoaiServer::MODEL;
        self::assertSame([self::REQUESTS, '0.027', $model], [
            $page->data[0]->requests,
            $page->data[0]->cost,
            $page->data[0]->model,
        ]);
        $summary = $this->client->billing->summary($spender);
        self::assertSame(['0.027', $model], [$summary->totals->cost, $summary->models[0]->model]);
        $statement = $this->client->billing->statements(['month' => $summary->month, ...$spender])->data[0];
        $whole = $this->client->billing->statement($summary->month, self::$spender);
        self::assertSame(['0.027', '0.027'], [$statement->cost, $whole->cost]);
        self::assertSame(['0.027'], array_column($whole->lines ?? [], 'cost'));
    }

    public function testCsvIsTheSameInOneFile(): void
    {
        $month = $this->client->billing->summary()->month;
        $lines = iterator_to_array($this->client->billing->usageCsv(['customer_id' => self::$spender])->lines(), false);
        self::assertCount(1 + self::REQUESTS, $lines);
        self::assertStringContainsString('0.027', $this->client->billing->statementCsv($month, self::$spender)->read());
        self::assertStringContainsString(
            self::$spender,
            $this->client->billing->statementsCsv(['month' => $month])->read(),
        );
    }

    public function testSettingsAndBudgets(): void
    {
        $changed = $this->client->billing->updateSettings([
            'budgets' => ['monthly' => '1000.5', 'total' => 5000],
            'alert_thresholds' => [50, 90],
        ]);
        self::assertSame(['1000.5', '5000'], [$changed->budgets->monthly, $changed->budgets->total]);
        self::assertNotEmpty($this->client->billing->summary()->budgets[0]->remaining);
        $none = ['budgets' => ['monthly' => null, 'total' => null], 'alert_thresholds' => null];
        $changed = $this->client->billing->updateSettings($none);
        self::assertSame([null, [80, 100]], [$changed->budgets->monthly, $changed->alert_thresholds]);
        self::assertSame('USD', $this->client->billing->settings()->currency);
    }

    public function testAKeyWhoseBudgetIsUsedUpGetsATypedError(): void
    {
        $key = $this->client->keys->create(['name' => 'Poor', 'budgets' => ['total' => '0.000000001']]);
        $this->expectException(InsufficientQuota::class);
        $this->client->with(['api_key' => $key->key])->chat->completions->create(self::HELLO);
    }

    private function spend(Client $tenant): void
    {
        for ($request = 0; $request < self::REQUESTS; $request++) {
            $tenant->chat->completions->create(self::HELLO);
        }
        while (count($this->client->billing->usage(['customer_id' => self::$spender])->data) < self::REQUESTS) {
            usleep(50_000);
        }
    }
}
